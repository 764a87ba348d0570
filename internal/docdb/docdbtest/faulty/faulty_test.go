package faulty_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	. "github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	. "github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
)

// A step is one call and how to see its effect in the engine beneath.
type step struct {
	op   string
	call func(ctx context.Context, db docdb.Database, c docdb.Collection) error
}

// everyStep is every call that changes something, then every call that reads, each with an effect
// that the ones before it make possible.
var everyStep = []step{
	{"Create", func(ctx context.Context, db docdb.Database, _ docdb.Collection) error { return db.Create(ctx, "c") }},
	{"CreateIndex", func(ctx context.Context, _ docdb.Database, c docdb.Collection) error {
		return c.CreateIndex(ctx, docdb.Index{Name: "i", Keys: []docdb.Key{{Path: "a"}}})
	}},
	{"Insert", func(ctx context.Context, _ docdb.Database, c docdb.Collection) error {
		return c.Insert(ctx, Doc(1))
	}},
	{"InsertMany", func(ctx context.Context, _ docdb.Database, c docdb.Collection) error {
		_, err := c.InsertMany(ctx, []bson.Raw{Doc(2), Doc(3), Doc(4), Doc(5)})
		return err
	}},
	{"Replace", func(ctx context.Context, _ docdb.Database, c docdb.Collection) error {
		return c.Replace(ctx, Value(1), docdb.Filter{}, Doc(1, "a", 1))
	}},
	{"Delete", func(ctx context.Context, _ docdb.Database, c docdb.Collection) error {
		return c.Delete(ctx, Value(1), docdb.Filter{})
	}},
	{"Get", func(ctx context.Context, _ docdb.Database, c docdb.Collection) error {
		_, err := c.Get(ctx, Value(2))
		return err
	}},
	{"Find", func(ctx context.Context, _ docdb.Database, c docdb.Collection) error {
		_, err := findAll(ctx, c)
		return err
	}},
	{"Count", func(ctx context.Context, _ docdb.Database, c docdb.Collection) error {
		_, err := c.Count(ctx, docdb.Filter{})
		return err
	}},
	{"Indexes", func(ctx context.Context, _ docdb.Database, c docdb.Collection) error {
		_, err := c.Indexes(ctx)
		return err
	}},
	{"CarryIndexes", func(ctx context.Context, db docdb.Database, _ docdb.Collection) error {
		return db.CarryIndexes(ctx, "c", "c")
	}},
	{"List", func(ctx context.Context, db docdb.Database, _ docdb.Collection) error {
		_, err := db.List(ctx, "c")
		return err
	}},
	{"DropIndex", func(ctx context.Context, _ docdb.Database, c docdb.Collection) error { return c.DropIndex(ctx, "i") }},
	{"Drop", func(ctx context.Context, db docdb.Database, _ docdb.Collection) error { return db.Drop(ctx, "c") }},
}

func findAll(ctx context.Context, c docdb.Collection) (int, error) {
	n := 0
	for _, err := range c.Find(ctx, docdb.Query{}) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// state describes all that an engine holds.
func state(t *testing.T, engine docdb.Engine) string {
	t.Helper()
	db := engine.Database("db")
	names, err := db.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	s := fmt.Sprint(names)
	for _, name := range names {
		indexes, err := db.Collection(name).Indexes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s += fmt.Sprint(indexes)
		for doc, err := range db.Collection(name).Find(t.Context(), docdb.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			s += doc.String()
		}
	}
	return s
}

// states are what an engine holds before the first step and after each.
func states(t *testing.T) []string {
	t.Helper()
	engine := model.New()
	list := []string{state(t, engine)}
	for _, step := range everyStep {
		db := engine.Database("db")
		if err := step.call(t.Context(), db, db.Collection("c")); err != nil {
			t.Fatalf("%s: %v", step.op, err)
		}
		list = append(list, state(t, engine))
	}
	return list
}

func TestDieAtEveryCall(t *testing.T) {
	want := states(t)
	for k := range everyStep {
		for _, mode := range Modes {
			t.Run(fmt.Sprintf("%s %s", mode, everyStep[k].op), func(t *testing.T) {
				engine := model.New()
				f := New(engine)
				f.DieAt(k+1, mode)
				db := f.Database("db")
				for i, step := range everyStep {
					err := step.call(t.Context(), db, db.Collection("c"))
					if died := errors.Is(err, ErrDied); died != (i >= k) || !died && err != nil {
						t.Errorf("%s: got error %v", step.op, err)
					}
				}
				got, effect := state(t, engine), mode != Before
				switch {
				case mode == Midway && everyStep[k].op == "InsertMany":
					if n, err := findAll(t.Context(), engine.Database("db").Collection("c")); n != 3 || err != nil {
						t.Errorf("there are %d documents, %v, want the first and half of four", n, err)
					}
				case effect && got != want[k+1]:
					t.Errorf("without its effect: %s", got)
				case !effect && got != want[k]:
					t.Errorf("with an effect: %s", got)
				}
				call, died := f.Died()
				if call.Op != everyStep[k].op || call.N != k+1 || !died || f.Calls() != k+1 {
					t.Errorf("it died at %v, %v, after %d calls", call, died, f.Calls())
				}
				if err := f.Ping(t.Context()); !errors.Is(err, ErrDied) {
					t.Errorf("Ping of the dead: %v", err)
				}
				if err := f.Close(); !errors.Is(err, ErrDied) {
					t.Errorf("Close of the dead: %v", err)
				}
				if err := engine.Ping(t.Context()); err != nil {
					t.Errorf("the engine beneath: %v", err)
				}
			})
		}
	}
}

func TestFailAtOneCallGoesOn(t *testing.T) {
	for k, failing := range everyStep {
		for _, mode := range Modes {
			t.Run(fmt.Sprintf("%s %s", mode, failing.op), func(t *testing.T) {
				f := New(model.New())
				db := f.Database("db")
				for i, step := range everyStep[:k+1] {
					if i == k {
						f.FailAt(k+1, mode)
					}
					err := step.call(t.Context(), db, db.Collection("c"))
					write := Call{Op: step.op}.Write()
					switch {
					case i < k:
						if err != nil {
							t.Fatal(err)
						}
					case write && mode != Before && !errors.Is(err, docdb.ErrOutcomeUnknown):
						t.Errorf("got error %v, want ErrOutcomeUnknown", err)
					case (!write || mode == Before) && !errors.Is(err, docdb.ErrUnavailable):
						t.Errorf("got error %v, want ErrUnavailable", err)
					}
				}
				if err := f.Ping(t.Context()); err != nil {
					t.Errorf("the call after it: %v", err)
				}
				if _, died := f.Died(); died {
					t.Error("it is dead")
				}
			})
		}
	}
}

func TestFindFailsWhereItsModeSays(t *testing.T) {
	for mode, want := range map[Mode]int{Before: 0, Midway: 1, After: 3} {
		f := New(model.New())
		db := f.Database("db")
		if err := db.Create(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		c := db.Collection("c")
		if _, err := c.InsertMany(t.Context(), []bson.Raw{Doc(1), Doc(2), Doc(3)}); err != nil {
			t.Fatal(err)
		}
		f.DieAt(3, mode)
		seq := c.Find(t.Context(), docdb.Query{})
		if f.Calls() != 2 {
			t.Error("a Find that is not run counts")
		}
		var errs []error
		n := 0
		for doc, err := range seq {
			if err != nil {
				errs = append(errs, err)
			} else if doc != nil {
				n++
			}
		}
		if n != want || len(errs) != 1 || !errors.Is(errs[0], ErrDied) {
			t.Errorf("%s: got %d documents and errors %v, want %d and ErrDied", mode, n, errs, want)
		}
	}
}

func TestAFindThatIsLeftEarlyDiesAllTheSame(t *testing.T) {
	f := New(model.New())
	db := f.Database("db")
	if err := errors.Join(db.Create(t.Context(), "c"), db.Collection("c").Insert(t.Context(), Doc(1))); err != nil {
		t.Fatal(err)
	}
	f.DieAt(3, After)
	for range db.Collection("c").Find(t.Context(), docdb.Query{}) {
		break
	}
	if call, died := f.Died(); !died || call.Op != "Find" {
		t.Errorf("died at %v, %v", call, died)
	}
}

func TestOnIsCalledWithEveryCall(t *testing.T) {
	f := New(model.New())
	var calls []string
	refused := errors.New("refused")
	f.On(func(c Call) error {
		calls = append(calls, fmt.Sprint(c.N, c.Op, " ", c.Database, ".", c.Collection))
		switch c.Op {
		case "Insert":
			return refused
		case "Count":
			f.Kill()
		case "Create": // a call within a call
			return f.Ping(t.Context())
		}
		return nil
	})
	db := f.Database("db")
	c := db.Collection("c")
	if err := db.Create(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if err := c.Insert(t.Context(), Doc(1)); !errors.Is(err, refused) {
		t.Errorf("Insert: got error %v", err)
	}
	if n, err := findAll(t.Context(), c); n != 0 || err != nil {
		t.Errorf("Find: %d, %v, want no document", n, err)
	}
	if _, err := c.Count(t.Context(), docdb.Filter{}); !errors.Is(err, ErrDied) {
		t.Errorf("Count: got error %v", err)
	}
	if err := c.Insert(t.Context(), Doc(1)); !errors.Is(err, ErrDied) {
		t.Errorf("Insert of the dead: got error %v", err)
	}
	if diff := cmp.Diff([]string{"1Create db.c", "2Ping .", "3Insert db.c", "4Find db.c", "5Count db.c"}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestDeathAmongConcurrentCalls: what was acknowledged is there, and nothing is
// acknowledged after death.
func TestDeathAmongConcurrentCalls(t *testing.T) {
	engine := model.New()
	f := New(engine)
	db := f.Database("db")
	if err := db.Create(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	f.DieAt(100, After)
	var acknowledged, late atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 100 {
				_, dead := f.Died()
				err := db.Collection("c").Insert(t.Context(), Doc(worker*100+i))
				switch {
				case err == nil && dead:
					late.Add(1)
				case err == nil:
					acknowledged.Add(1)
				case !errors.Is(err, ErrDied):
					t.Errorf("got error %v", err)
				}
			}
		})
	}
	wg.Wait()
	n, err := findAll(t.Context(), engine.Database("db").Collection("c"))
	if err != nil {
		t.Fatal(err)
	}
	// Up to one call of each other worker was in progress and may have had its effect.
	if got := acknowledged.Load(); late.Load() != 0 || int64(n) < got || int64(n) > got+8 {
		t.Errorf("%d acknowledged, %d of them after death, %d there", got, late.Load(), n)
	}
}
