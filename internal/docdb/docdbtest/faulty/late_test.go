package faulty_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	. "github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	. "github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
)

// engineWithDocuments is an engine that a test can make fail, and a collection with the
// documents 1 to 3, through it and past it.
func engineWithDocuments(t *testing.T) (f *Engine, c, beneath docdb.Collection) {
	t.Helper()
	engine := model.New()
	f = New(engine)
	if err := engine.Database("db").Create(t.Context(), "org_a"); err != nil {
		t.Fatal(err)
	}
	beneath = engine.Database("db").Collection("org_a")
	if _, err := beneath.InsertMany(t.Context(), []bson.Raw{Doc(1, "a", 0), Doc(2, "a", 0), Doc(3, "a", 0)}); err != nil {
		t.Fatal(err)
	}
	return f, f.Database("db").Collection("org_a"), beneath
}

// a reads the field a of a document; -1 if there is none.
func a(t *testing.T, c docdb.Collection, id int) int {
	t.Helper()
	doc, err := c.Get(t.Context(), Value(id))
	if errors.Is(err, docdb.ErrNotFound) {
		return -1
	}
	if err != nil {
		t.Fatal(err)
	}
	return int(doc.Lookup("a").AsInt64())
}

func replaceA(ctx context.Context, c docdb.Collection, id, n int) error {
	return c.Replace(ctx, Value(id), docdb.Filter{}, Doc(id, "a", n))
}

func TestALateWriteHasItsEffectWhenItIsDelivered(t *testing.T) {
	want := states(t)
	for k, late := range everyStep {
		if !(Call{Op: late.op}).Write() {
			continue
		}
		for _, dies := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, of a process that died: %v", late.op, dies), func(t *testing.T) {
				engine := model.New()
				f := New(engine)
				answer := docdb.ErrOutcomeUnknown
				if f.FailAt(k+1, Late); dies {
					answer = ErrDied
					f.DieAt(k+1, Late)
				}
				ctx, cancel := context.WithCancel(t.Context())
				for i, step := range everyStep[:k+1] {
					db := f.Database("db")
					if err := step.call(ctx, db, db.Collection("c")); i < k && err != nil || i == k && !errors.Is(err, answer) {
						t.Fatalf("%s: got error %v", step.op, err)
					}
				}
				cancel()
				if got := state(t, engine); got != want[k] {
					t.Errorf("before it is delivered: %s", got)
				}
				f.Kill()
				if held := f.Held(); len(held) != 1 || held[0].Op != late.op || held[0].N != k+1 {
					t.Errorf("held: %v", held)
				}
				if errs := f.Deliver(); len(errs) != 1 || errs[0] != nil {
					t.Errorf("delivered with %v", errs)
				}
				if got := state(t, engine); got != want[k+1] {
					t.Errorf("after it was delivered: %s", got)
				}
				if errs := f.Deliver(); len(errs)+len(f.Held()) != 0 {
					t.Errorf("delivered once more, with %v", errs)
				}
			})
		}
	}
}

func TestALateWriteIsCarriedOutOnWhatIsThereThen(t *testing.T) {
	f, c, beneath := engineWithDocuments(t)
	f.FailOn(Nth(2, "Replace", "org_", Late))
	docs := []bson.Raw{Doc(1, "a", 1), Doc(1, "a", 2), Doc(1, "a", 3)}
	var errs []error
	for i, doc := range docs {
		errs = append(errs, c.Replace(t.Context(), Value(1), docdb.Eq("a", i), doc))
		clear(doc) // the message is what was sent
	}
	if errs[0] != nil || !errors.Is(errs[1], docdb.ErrOutcomeUnknown) || !errors.Is(errs[2], docdb.ErrNoMatch) || a(t, beneath, 1) != 1 {
		t.Errorf("got %v, and a is %d", errs, a(t, beneath, 1))
	}
	if err := replaceA(t.Context(), c, 1, 7); err != nil {
		t.Error(err)
	}
	if errs := f.Deliver(); len(errs) != 1 || !errors.Is(errs[0], docdb.ErrNoMatch) || a(t, beneath, 1) != 7 {
		t.Errorf("delivered with %v, and a is %d", errs, a(t, beneath, 1))
	}
}

func TestOneOfTheHeldWritesIsDelivered(t *testing.T) {
	f, c, beneath := engineWithDocuments(t)
	f.FailOn(func(Call) (Mode, bool) { return Late, true })
	for i := range 3 {
		if err := replaceA(t.Context(), c, i+1, 1); !errors.Is(err, docdb.ErrOutcomeUnknown) {
			t.Error(err)
		}
	}
	if _, err := c.InsertMany(t.Context(), []bson.Raw{Doc(1), Doc(4, "a", 1)}); !errors.Is(err, docdb.ErrOutcomeUnknown) {
		t.Error(err)
	}
	if n, err := c.Count(t.Context(), docdb.Filter{}); n != 3 || err != nil {
		t.Errorf("a read that was to be late: %d, %v", n, err)
	}
	f.Deliver(f.Held()[1])
	if got := []int{a(t, beneath, 1), a(t, beneath, 2), a(t, beneath, 3), a(t, beneath, 4)}; !slices.Equal(got, []int{0, 1, 0, -1}) {
		t.Errorf("after the second: %v", got)
	}
	if errs := f.Deliver(); len(errs) != 3 || errs[0] != nil || errs[1] != nil || !errors.Is(errs[2], docdb.ErrDuplicate) {
		t.Errorf("all others answer %v", errs)
	}
	if got := []int{a(t, beneath, 1), a(t, beneath, 2), a(t, beneath, 3), a(t, beneath, 4)}; !slices.Equal(got, []int{1, 1, 1, 1}) {
		t.Errorf("after all: %v", got)
	}
}

func TestAWriteThatWasNotSentIsNotLate(t *testing.T) {
	f, c, _ := engineWithDocuments(t)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	f.FailAt(1, Late)
	if err := replaceA(over, c, 1, 1); err == nil || len(f.Held()) != 0 {
		t.Errorf("got error %v, and %v is held", err, f.Held())
	}
}

func TestAWriteIsCarriedOutTwice(t *testing.T) {
	want := states(t)
	for k, twice := range everyStep {
		t.Run(twice.op, func(t *testing.T) {
			engine := model.New()
			beneath := New(engine) // counts
			f := New(beneath)
			f.FailAt(k+1, Twice)
			for _, step := range everyStep[:k+1] {
				db := f.Database("db")
				if err := step.call(t.Context(), db, db.Collection("c")); err != nil {
					t.Fatalf("%s: the first answer counts, got error %v", step.op, err)
				}
			}
			calls := k + 1
			if (Call{Op: twice.op}).Write() {
				calls++
			}
			if beneath.Calls() != calls || state(t, engine) != want[k+1] {
				t.Errorf("it was carried out in %d calls, want %d: %s", beneath.Calls(), calls, state(t, engine))
			}
		})
	}
}

func TestTwoWritesChangePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c, beneath := engineWithDocuments(t)
		f.FailAt(1, Reordered)
		var first error
		var wg sync.WaitGroup
		wg.Go(func() { first = replaceA(t.Context(), c, 1, 1) })
		synctest.Wait()
		if a(t, c, 1) != 0 { // reads do not let it go
			t.Error("it was not held")
		}
		synctest.Wait()
		began := time.Now()
		second := c.Replace(t.Context(), Value(1), docdb.Eq("a", 0), Doc(1, "a", 2))
		wg.Wait()
		if first != nil || second != nil || a(t, beneath, 1) != 1 || time.Since(began) != 0 {
			t.Errorf("got %v and %v after %s, and a is %d", first, second, time.Since(began), a(t, beneath, 1))
		}
	})
}

func TestAReorderedWriteWaitsForNobodyForLong(t *testing.T) {
	for name, test := range map[string]struct {
		end  time.Duration // of the context, 0: never
		kill bool
		want error
	}{
		"alone":                      {},
		"its context ends":           {end: time.Millisecond},
		"its process dies meanwhile": {kill: true, want: ErrDied},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c, beneath := engineWithDocuments(t)
				f.FailOn(func(Call) (Mode, bool) { return Reordered, true })
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var err error
				began := time.Now()
				var wg sync.WaitGroup
				wg.Go(func() { err = replaceA(ctx, c, 1, 1) })
				synctest.Wait()
				if test.kill {
					f.Kill()
				}
				if test.end > 0 {
					time.Sleep(test.end)
					cancel()
				}
				wg.Wait()
				took := time.Since(began)
				if !errors.Is(err, test.want) || a(t, beneath, 1) != 1 || took > time.Second || test.end > 0 && took != test.end {
					t.Errorf("got %v after %s, and a is %d", err, took, a(t, beneath, 1))
				}
			})
		})
	}
}

// TestEveryWriteReordered: each waits for the next, and all come through.
func TestEveryWriteReordered(t *testing.T) {
	f, c, beneath := engineWithDocuments(t)
	f.FailOn(func(Call) (Mode, bool) { return Reordered, true })
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := c.Insert(t.Context(), Doc(100+i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, err := findAll(t.Context(), beneath); n != 23 || err != nil {
		t.Errorf("%d documents, %v", n, err)
	}
}

// TestLateWritesAtRandom is how histories use it: writes are held at random, and delivered
// some time later or in the end. Nothing comes twice, and nothing is lost.
func TestLateWritesAtRandom(t *testing.T) {
	f, c, beneath := engineWithDocuments(t)
	draw := rand.New(rand.NewPCG(1, 2))
	f.FailOn(func(call Call) (Mode, bool) { return Late, call.Write() && draw.IntN(4) == 0 })
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 50 {
				id := 1000*(worker+1) + i
				err := c.Insert(t.Context(), Doc(id))
				if err != nil && !errors.Is(err, docdb.ErrOutcomeUnknown) {
					t.Error(err)
				}
				if held := f.Held(); i%5 == 0 && len(held) > 0 {
					for _, err := range f.Deliver(held[i%len(held)]) {
						if err != nil {
							t.Errorf("delivered late: %v", err)
						}
					}
				}
			}
		})
	}
	wg.Wait()
	before, err := findAll(t.Context(), beneath)
	if err != nil {
		t.Fatal(err)
	}
	late := len(f.Deliver())
	after, err := findAll(t.Context(), beneath)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{203, 203}, []int{after, before + late}); diff != "" || late == 0 {
		t.Errorf("documents (-want +got), %d of them late:\n%s", late, diff)
	}
}
