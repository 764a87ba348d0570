package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/record"
)

func numbers(n int) bson.A {
	list := make(bson.A, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// wideObjects are documents of many fields.
func wideObjects(n int) bson.A {
	wide := bson.D{}
	for i := range 300 {
		wide = append(wide, bson.E{Key: fmt.Sprint("x", i), Value: nil})
	}
	list := make(bson.A, n)
	for i := range list {
		list[i] = wide
	}
	return list
}

func keysOn(paths ...string) []docdb.Key {
	list := make([]docdb.Key, len(paths))
	for i, path := range paths {
		list[i].Path = path
	}
	return list
}

// within fails the test if something takes longer than it may on a slow machine.
func within(t *testing.T, most time.Duration, do func()) {
	t.Helper()
	began := time.Now()
	do()
	if took := time.Since(began); took > most {
		t.Errorf("it took %s, more than %s", took, most)
	}
}

// isRefused asks for an *IndexKeyError that names an index and a path.
func isRefused(t *testing.T, err error, index, path string) {
	t.Helper()
	var refused *docdb.IndexKeyError
	if !errors.As(err, &refused) || !errors.Is(err, docdb.ErrInvalid) || refused.Index != index || refused.Path != path {
		t.Errorf("got %v, want an *IndexKeyError of the index %q and the path %q", err, index, path)
	}
}

// TestWhatADocumentHasInIndexesIsBounded writes documents that once made the process run for
// seconds, or hours, and hold gigabytes.
func TestWhatADocumentHasInIndexesIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: make test-long")
	}
	many := make([]docdb.Index, 20)
	for i := range many {
		many[i] = docdb.Index{Name: name("i", i), Keys: keysOn("a", "s", fmt.Sprint("x", i))}
	}
	tests := []struct {
		name        string
		indexes     []docdb.Index
		doc         bson.Raw
		index, path string // that are named
	}{
		{"twenty indexes of a long string and an array", many,
			doc("_id", 1, "s", strings.Repeat("x", 1900), "a", numbers(20_000)), "i000000", "a"},
		{"a unique index of a very long string and an array", []docdb.Index{{Name: "u", Keys: keysOn("s", "a"), Unique: true}},
			doc("_id", 1, "s", strings.Repeat("x", 8<<20), "a", numbers(1000)), "u", "s"},
		{"more keys than there may be", []docdb.Index{{Name: "i", Keys: keyOn("a")}},
			doc("_id", 1, "a", numbers(docdb.MaxIndexEntries+1)), "i", "a"},
		{"more keys than there may be, in two indexes", []docdb.Index{{Name: "i", Keys: keyOn("a")}, {Name: "j", Keys: keysOn("a", "b")}},
			doc("_id", 1, "a", numbers(docdb.MaxIndexEntries/2+1)), "j", "a"},
		{"keys that take long to find", []docdb.Index{{Name: "i", Keys: keysOn("a.c", "a.0.b")}},
			doc("_id", 1, "a", append(bson.A{wideObjects(1000)}, numbers(2000)...)), "i", "a.0.b"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := open(t, Config{})
			c := newCollection(t, e)
			for _, ix := range test.indexes {
				mustIndex(t, c, ix)
			}
			within(t, 20*time.Second, func() { isRefused(t, c.Insert(bg, test.doc), test.index, test.path) })
			small := doc("_id", 1, "a", 1)
			mustInsert(t, c, small)
			isRefused(t, c.Replace(bg, rawValue(int32(1)), docdb.Filter{}, test.doc), test.index, test.path)
			if err := c.Delete(bg, rawValue(int32(1)), docdb.Filter{}); err != nil {
				t.Fatal(err)
			}
			errs, err := c.InsertMany(bg, []bson.Raw{test.doc, doc("_id", 2, "a", 2)})
			if err != nil || errs[1] != nil {
				t.Fatal(err, errs)
			}
			isRefused(t, errs[0], test.index, test.path)
			last := test.indexes[len(test.indexes)-1]
			for _, ix := range test.indexes {
				if err := c.DropIndex(bg, ix.Name); err != nil {
					t.Fatal(err)
				}
			}
			mustInsert(t, c, test.doc)
			for _, ix := range test.indexes {
				if err = c.CreateIndex(bg, ix); err != nil {
					break
				}
			}
			isRefused(t, err, test.index, test.path)
			if list, err := c.Indexes(bg); err != nil || len(list) >= len(test.indexes) || len(list) > 0 && list[len(list)-1].Name == last.Name {
				t.Errorf("the indexes are %v, %v", list, err)
			}
			checkConsistent(t, e)
		})
	}
}

func TestWhatComesToFewKeysIsTakenHoweverManyElementsItHas(t *testing.T) {
	for name, test := range map[string]struct {
		ix  docdb.Index
		doc bson.Raw
	}{
		"an array reached by its index, in a long one": {docdb.Index{Name: "i", Keys: keyOn("a.0")},
			doc("_id", 1, "a", append(bson.A{numbers(3000)}, make(bson.A, 3000)...))},
		"a million times null": {docdb.Index{Name: "i", Keys: keyOn("a"), Unique: true}, doc("_id", 1, "a", make(bson.A, 1_250_000))},
		"two values in turn": {docdb.Index{Name: "i", Keys: keyOn("a")},
			doc("_id", 1, "a", append(append(numbers(2), numbers(docdb.MaxIndexEntries)...), numbers(docdb.MaxIndexEntries)...))},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, Config{})
			c := newCollection(t, e)
			mustIndex(t, c, test.ix)
			within(t, 20*time.Second, func() { mustInsert(t, c, test.doc) })
			if found := find(t, c, docdb.Query{Order: test.ix.Keys}); len(found) != 1 {
				t.Errorf("found %d documents", len(found))
			}
			checkConsistent(t, e)
			if err := c.Delete(bg, rawValue(int32(1)), docdb.Filter{}); err != nil {
				t.Fatal(err)
			}
			checkConsistent(t, e)
		})
	}
}

// TestMoreThanThereMayBeCanBeRemoved has a document that a program without bounds wrote.
func TestMoreThanThereMayBeCanBeRemoved(t *testing.T) {
	for name, remove := range map[string]func(docdb.Collection) error{
		"Delete": func(c docdb.Collection) error { return c.Delete(bg, rawValue(int32(1)), docdb.Filter{}) },
		"Replace": func(c docdb.Collection) error {
			return c.Replace(bg, rawValue(int32(1)), docdb.Filter{}, doc("_id", 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, Config{})
			c := newCollection(t, e)
			mustIndex(t, c, docdb.Index{Name: "i", Keys: keyOn("a")})
			large := doc("_id", 1, "a", numbers(docdb.MaxIndexEntries+1000))
			co := c.(collection).coll(t)
			w := e.writes.NewRecorder(bg, nil).NewWrite(co)
			w.Put(recordOf(e, co.State.Load(), large), nil, large)
			if err := w.Commit(false); err != nil {
				t.Fatal(err)
			}
			isRefused(t, c.Replace(bg, rawValue(int32(1)), docdb.Filter{}, large), "i", "a")
			if err := remove(c); err != nil {
				t.Fatal(err)
			}
			checkConsistent(t, e)
		})
	}
}

// TestOnlyFewHeavyWritesAreMadeAtATime holds all places for them: heavy writes wait,
// without a lock that others want, and end with their context; light ones go on.
func TestOnlyFewHeavyWritesAreMadeAtATime(t *testing.T) {
	e := open(t, Config{})
	c := newCollection(t, e)
	mustIndex(t, c, docdb.Index{Name: "i", Keys: keyOn("a")})
	heavy := doc("_id", 1, "a", numbers(20_000))
	mustInsert(t, c, heavy)
	if err := e.writes.Heavy.Acquire(bg, record.HeavyPlaces()); err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(context.Context) error{
		"Insert": func(ctx context.Context) error { return c.Insert(ctx, doc("_id", 2, "a", numbers(20_000))) },
		"InsertMany": func(ctx context.Context) error {
			_, err := c.InsertMany(ctx, []bson.Raw{doc("_id", 3, "a", numbers(20_000))})
			return err
		},
		"Replace": func(ctx context.Context) error {
			return c.Replace(ctx, rawValue(int32(1)), docdb.Filter{}, doc("_id", 1))
		},
		"Delete": func(ctx context.Context) error { return c.Delete(ctx, rawValue(int32(1)), docdb.Filter{}) },
		"CreateIndex": func(ctx context.Context) error {
			return c.CreateIndex(ctx, docdb.Index{Name: "j", Keys: keysOn("a", "b")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
			defer cancel()
			if err := write(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it answers %v", err)
			}
		})
	}
	waiting := make(chan error, 1)
	go func() { waiting <- c.Delete(bg, rawValue(int32(1)), docdb.Filter{}) }()
	await(t, "the deletion waits", func() bool {
		if e.writes.Heavy.TryAcquire(1) {
			t.Fatal("there is a place")
		}
		_, err := c.Get(bg, rawValue(int32(1)))
		return err == nil
	})
	if err := c.Replace(bg, rawValue(int32(1)), docdb.Eq("_id", 2), doc("_id", 1)); !errors.Is(err, docdb.ErrNoMatch) {
		t.Errorf("a write to the document that a heavy one waits to change answers %v", err)
	}
	mustInsert(t, c, doc("_id", 9, "a", 1))
	e.writes.Heavy.Release(record.HeavyPlaces())
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	checkConsistent(t, e)
	if !e.writes.Heavy.TryAcquire(record.HeavyPlaces()) {
		t.Error("a place was not given back")
	}
}

// TestKeysAreMadeNoLongerThanTheCallIsWantedFor ends the context while keys are made.
func TestKeysAreMadeNoLongerThanTheCallIsWantedFor(t *testing.T) {
	e := open(t, Config{})
	c := newCollection(t, e)
	ix := docdb.Index{Name: "i", Keys: keysOn("a.b", "a.c")}
	mustIndex(t, c, ix)
	list := make(bson.A, 200_000)
	for i := range list {
		list[i] = bson.D{{Key: "x", Value: 1}, {Key: "y", Value: 1}, {Key: "z", Value: 1}}
	}
	large := doc("_id", 1, "a", list)
	ctx := &countdown{Context: bg, left: 5}
	if err := c.Insert(ctx, large); !errors.Is(err, context.Canceled) {
		t.Errorf("Insert answers %v", err)
	}
	ctx = &countdown{Context: bg, left: 5}
	if _, err := c.InsertMany(ctx, []bson.Raw{large}); !errors.Is(err, context.Canceled) {
		t.Errorf("InsertMany answers %v", err)
	}
	if err := c.DropIndex(bg, "i"); err != nil {
		t.Fatal(err)
	}
	mustInsert(t, c, large)
	ctx = &countdown{Context: bg, left: 8}
	if err := c.CreateIndex(ctx, ix); !errors.Is(err, context.Canceled) {
		t.Errorf("CreateIndex answers %v", err)
	}
	checkConsistent(t, e)
}

// A countdown is a context that is over when it was looked at so many times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}
