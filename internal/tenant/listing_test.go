package tenant_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// document is a document with these names and values.
func document(t testing.TB, pairs ...any) bson.Raw {
	t.Helper()
	d := bson.D{}
	for i := 0; i < len(pairs); i += 2 {
		d = append(d, bson.E{Key: pairs[i].(string), Value: pairs[i+1]})
	}
	raw, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestPagesDuringMoves: documents that stay as they are come exactly once, in
// order, while others come and go and the data is moved between pages.
func TestPagesDuringMoves(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		ctx, o := t.Context(), w.create("Acme", "a@acme.example")
		docs := w.Documents(o.ID)
		p := w.login("a@acme.example")
		for i := range 40 {
			if _, err := docs.Insert(ctx, document(t, "_id", fmt.Sprintf("stays%02d", i), "n", i%4, "s", i)); err != nil {
				t.Fatal(err)
			}
		}
		ix := tenant.Index{Name: "by_n", Keys: []tenant.Key{{Path: "n", Desc: true}, {Path: "s"}}}
		if err := docs.CreateIndex(ctx, ix); err != nil {
			t.Fatal(err)
		}
		for _, q := range []tenant.PageQuery{
			{}, {Desc: true}, {Sort: []tenant.Key{{Path: "n"}}}, {Sort: []tenant.Key{{Path: "n", Desc: true}, {Path: "s"}}},
			{Sort: []tenant.Key{{Path: "n"}, {Path: "s", Desc: true}}},
		} {
			q.Limit, q.Total, q.Timeout = 7, true, time.Minute
			seen, order := map[string]int{}, []bson.Raw{}
			for page := range 100 {
				got, err := docs.Page(ctx, q)
				if err != nil {
					t.Fatal(err)
				}
				if len(got.Documents) > q.Limit || got.Total < 40 {
					t.Errorf("%d documents of %d on a page of %d", len(got.Documents), got.Total, q.Limit)
				}
				for _, doc := range got.Documents {
					if id := doc.ID().StringValue(); strings.HasPrefix(id, "stays") {
						seen[id]++
						order = append(order, doc.Body)
					}
				}
				if got.Next == nil {
					break
				}
				q.After = got.Next
				other := document(t, "_id", fmt.Sprintf("t%02d", rand.IntN(40)), "n", rand.IntN(4))
				if _, _, err := docs.Put(ctx, tenant.Condition{}, other); err != nil {
					t.Fatal(err)
				}
				if page == 2 {
					if _, err := w.Update(ctx, p, tenant.UpdateInput{Migrate: true}); err != nil {
						t.Fatal(err)
					}
				}
			}
			for i := range 40 {
				if n := seen[fmt.Sprintf("stays%02d", i)]; n != 1 {
					t.Errorf("%+v: document %d came %d times", q.Sort, i, n)
				}
			}
			keys, desc := q.Sort, q.Desc
			for i := range order[1:] {
				a, b := docdb.PositionOf(order[i], keys, desc), docdb.PositionOf(order[i+1], keys, desc)
				a.ID, b.ID = bson.RawValue{}, bson.RawValue{}
				if len(keys) == 0 {
					a.ID, b.ID = docdb.ID(order[i]), docdb.ID(order[i+1])
				}
				if docdb.ComparePositions(a, b, keys, desc) > 0 {
					t.Errorf("%+v: %s before %s", q.Sort, order[i], order[i+1])
				}
			}
		}
	})
}

func TestRefusedPages(t *testing.T) {
	w := newWorld(t, embeddedEngine(t))
	ctx, o := t.Context(), w.create("Acme", "a@acme.example")
	docs := w.Documents(o.ID)
	ix := tenant.Index{Name: "by_s", Keys: []tenant.Key{{Path: "s"}}}
	if err := docs.CreateIndex(ctx, ix); err != nil {
		t.Fatal(err)
	}
	q := tenant.PageQuery{Limit: 1, Sort: ix.Keys}
	for i := range 3 {
		if _, err := docs.Insert(ctx, document(t, "_id", i, "s", i)); err != nil {
			t.Fatal(err)
		}
	}
	page, err := docs.Page(ctx, q)
	if err != nil || page.Next == nil {
		t.Fatalf("%+v, %v", page, err)
	}
	if _, err := docs.Page(ctx, tenant.PageQuery{Limit: 1, Sort: []tenant.Key{{Path: "z", Desc: true}}}); !errors.Is(err, org.NoIndex) ||
		!strings.Contains(err.Error(), `{"name": "by_z", "keys": [{"path": "z", "order": "desc"}]}`) {
		t.Errorf("sort by what no index has: %v", err)
	}
	if err := docs.DropIndex(ctx, ix.Name); err != nil {
		t.Fatal(err)
	}
	q.After = page.Next
	if _, err := docs.Page(ctx, q); !errors.Is(err, org.NoIndex) {
		t.Errorf("the index is gone: %v", err)
	}
	if err := docs.CreateIndex(ctx, ix); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 9000)
	for i := range 2 {
		if _, err := docs.Insert(ctx, document(t, "_id", 10+i, "s", long)); err != nil {
			t.Fatal(err)
		}
	}
	q = tenant.PageQuery{Limit: 4, Sort: ix.Keys} // ends at the last that has a short key
	if page, err = docs.Page(ctx, q); err != nil || len(page.Documents) != 3 || page.Next == nil {
		t.Fatalf("%d documents, %v", len(page.Documents), err)
	}
	q.After, q.Limit = page.Next, 1
	if _, err := docs.Page(ctx, q); !errors.Is(err, org.Invalid) {
		t.Errorf("no place to go on from: %v", err)
	}
	q.Limit = 5
	if page, err = docs.Page(ctx, q); err != nil || len(page.Documents) != 2 || page.Next != nil {
		t.Errorf("%+v, %v", page, err)
	}
}

// TestLargePagesEndEarly: a page is in memory.
func TestLargePagesEndEarly(t *testing.T) {
	w := newWorld(t, embeddedEngine(t))
	ctx, o := t.Context(), w.create("Acme", "a@acme.example")
	docs := w.Documents(o.ID)
	for i := range 5 {
		if _, err := docs.Insert(ctx, document(t, "_id", i, "s", strings.Repeat("x", 5<<20))); err != nil {
			t.Fatal(err)
		}
	}
	q, found := tenant.PageQuery{Limit: 100}, 0
	for pages := 1; ; pages++ {
		page, err := docs.Page(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		found += len(page.Documents)
		if q.After = page.Next; q.After == nil {
			if found != 5 || pages != 3 {
				t.Errorf("%d documents on %d pages", found, pages)
			}
			return
		}
	}
}

// TestIndexesAndMoves: an index that was created or dropped stays so across moves,
// and none is while the data is being moved.
func TestIndexesAndMoves(t *testing.T) {
	f := faulty.New(embeddedEngine(t))
	w := newWorld(t, f)
	ctx, o := t.Context(), w.create("Acme", "a@acme.example")
	docs := w.Documents(o.ID)
	p := w.login("a@acme.example")
	ix := tenant.Index{Name: "by_n", Keys: []tenant.Key{{Path: "n"}}, Unique: true}
	refused, tried := 0, 0
	f.On(func(c faulty.Call) error {
		if c.Op == "CarryIndexes" {
			tried++
			for _, err := range []error{docs.CreateIndex(ctx, ix), docs.DropIndex(ctx, "by_n")} {
				var e *org.Error
				if errors.As(err, &e) && e.Kind == org.OperationInProgress && e.Operation != "" {
					refused++
				}
			}
		}
		return nil
	})
	move := func() {
		t.Helper()
		if _, err := w.Update(ctx, p, tenant.UpdateInput{Migrate: true}); err != nil {
			t.Fatal(err)
		}
	}
	move()
	if err := docs.CreateIndex(ctx, ix); err != nil {
		t.Fatal(err)
	}
	move()
	if tried != 2 || refused != 4 {
		t.Errorf("refused %d times in %d moves", refused, tried)
	}
	list, err := docs.Indexes(ctx)
	if err != nil || len(list) != 1 || !list[0].Unique {
		t.Fatalf("%+v, %v", list, err)
	}
	stats, err := docs.Stats(ctx, 0)
	if err != nil || stats.Generation != 3 || stats.Documents != 0 || len(stats.Indexes) != 1 {
		t.Errorf("%+v, %v", stats, err)
	}
	if err := docs.DropIndex(ctx, "by_n"); err != nil {
		t.Fatal(err)
	}
	move()
	if list, err = docs.Indexes(ctx); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestAMoveWaitsForAnIndexThatIsBeingBuilt: it began before the move did, so the
// move brings it over.
func TestAMoveWaitsForAnIndexThatIsBeingBuilt(t *testing.T) {
	f := faulty.New(embeddedEngine(t))
	w := newWorld(t, f)
	ctx, o := t.Context(), w.create("Acme", "a@acme.example")
	docs := w.Documents(o.ID)
	p := w.login("a@acme.example")
	building, moved := make(chan struct{}), make(chan error, 1)
	f.On(func(c faulty.Call) error {
		if c.Op == "CreateIndex" && c.Collection == o.Collection {
			close(building)
			time.Sleep(100 * time.Millisecond)
		}
		return nil
	})
	go func() {
		<-building
		_, err := w.Update(ctx, p, tenant.UpdateInput{Migrate: true})
		moved <- err
	}()
	if err := docs.CreateIndex(ctx, tenant.Index{Name: "by_n", Keys: []tenant.Key{{Path: "n"}}}); err != nil {
		t.Fatal(err)
	}
	if err := <-moved; err != nil {
		t.Fatal(err)
	}
	if list, err := docs.Indexes(ctx); err != nil || len(list) != 1 {
		t.Errorf("after the move: %+v, %v", list, err)
	}
}

func TestStats(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		ctx, o := t.Context(), w.create("Acme", "a@acme.example")
		docs := w.Documents(o.ID)
		if err := docs.CreateIndex(ctx, tenant.Index{Name: "by_n", Keys: []tenant.Key{{Path: "n"}}}); err != nil {
			t.Fatal(err)
		}
		size := 0
		for i := range 10 {
			raw := document(t, "_id", i, "n", strings.Repeat("x", 100*i))
			size += len(raw)
			if _, err := docs.Insert(ctx, raw); err != nil {
				t.Fatal(err)
			}
		}
		got, err := docs.Stats(ctx, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if got.Documents != 10 || got.Generation != 1 || got.Bytes < int64(size) || got.Bytes > int64(size+10*40) || len(got.Indexes) != 1 || got.Indexes[0].Bytes == 0 {
			t.Errorf("%+v; the documents have %d bytes", got, size)
		}
	})
}
