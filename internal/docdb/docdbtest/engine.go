package docdbtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// engineCases are the sentences on Engine and Database, and on collections that
// do not exist.
var engineCases = map[string]func(*suite){
	"Ping succeeds while the engine can serve": func(s *suite) { s.must(s.engine.Ping(s.Context())) },

	"Create creates an empty collection without an index": func(s *suite) {
		s.must(s.db.Create(s.Context(), "c"))
		s.isEmpty(s.db.Collection("c"))
		s.lists("", "c")
	},
	"Create of a name that is there is ErrExists and changes nothing": func(s *suite) {
		s.must(s.db.Create(s.Context(), "c"))
		s.insert(s.db.Collection("c"), Doc(1))
		s.fails(s.db.Create(s.Context(), "c"), docdb.ErrExists)
		s.holds(s.db.Collection("c"), Doc(1))
	},
	"Create of one name: among racing calls exactly one succeeds": func(s *suite) {
		s.rounds(10, func(i int) {
			s.oneWins(race(4, func(int) error { return s.db.Create(s.Context(), fmt.Sprint("c", i)) }), docdb.ErrExists)
			s.must(s.db.Drop(s.Context(), fmt.Sprint("c", i)))
		})
	},
	"Drop removes documents and indexes, and what is created again is empty": func(s *suite) {
		for range 3 {
			s.must(s.db.Create(s.Context(), "c"))
			c := s.db.Collection("c")
			s.isEmpty(c)
			s.must(c.CreateIndex(s.Context(), unique("u", "a")))
			s.insert(c, Doc(1, "a", 1), Doc(2, "a", 2))
			s.must(s.db.Drop(s.Context(), "c"))
			s.isEmpty(c)
			s.lists("")
		}
	},
	"Drop of one collection leaves all others": func(s *suite) {
		names := []string{"org", "org_a", "org_a.2", "org_a.20", "org_ab", "org-a", "orga"}
		for _, name := range names {
			s.must(s.db.Create(s.Context(), name))
			s.must(s.db.Collection(name).CreateIndex(s.Context(), index("i", "a")))
			s.insert(s.db.Collection(name), Doc(1, "a", name))
		}
		s.must(s.db.Drop(s.Context(), "org_a"))
		for _, name := range names {
			if name != "org_a" {
				s.same(s.find(s.db.Collection(name), docdb.Query{Order: index("", "a").Keys}), []bson.Raw{Doc(1, "a", name)})
			}
		}
	},
	"Drop of what does not exist succeeds": func(s *suite) {
		s.must(s.db.Drop(s.Context(), "c"))
		s.must(s.db.Drop(s.Context(), "c"))
	},
	"List returns the names that begin with a prefix, sorted": func(s *suite) {
		for _, name := range []string{"b", "a.b", "axb", "a", "B", "a.b_1", "a_b", "a-b"} {
			s.must(s.db.Create(s.Context(), name))
		}
		s.lists("", "B", "a", "a-b", "a.b", "a.b_1", "a_b", "axb", "b")
		s.lists("a.b", "a.b", "a.b_1")
		s.lists("a.", "a.b", "a.b_1")
		s.lists("c")
		s.lists("a.b_1.and.more")
	},
	"names are told apart by case": func(s *suite) {
		s.must(s.db.Create(s.Context(), "Acme"))
		s.must(s.db.Create(s.Context(), "acme"))
		s.insert(s.db.Collection("acme"), Doc(1))
		s.isEmpty(s.db.Collection("Acme"))
	},
	"databases are apart": func(s *suite) {
		other := s.newDatabase(s.engine)
		s.must(s.db.Create(s.Context(), "c"))
		s.must(other.Create(s.Context(), "c"))
		s.insert(other.Collection("c"), Doc(1))
		s.isEmpty(s.db.Collection("c"))
		s.must(s.db.Drop(s.Context(), "c"))
		s.holds(other.Collection("c"), Doc(1))
	},
	"a collection name may have 170 bytes": func(s *suite) {
		name := strings.Repeat("a", docdb.MaxCollectionName)
		s.must(s.db.Create(s.Context(), name))
		s.insert(s.db.Collection(name), Doc(1))
		s.lists("", name)
	},
	"a bad collection name is ErrInvalid": func(s *suite) {
		for _, name := range []string{"", "a b", "a$", "system.a", ".a", "a.", "a..b", "é", strings.Repeat("a", 171)} {
			for op, err := range s.everyCall(s.Context(), s.db, name) {
				if !errors.Is(err, docdb.ErrInvalid) {
					s.Errorf("%s with name %q: got error %v, want ErrInvalid", op, name, err)
				}
			}
		}
	},
	"a bad database name is ErrInvalid in the first call that uses it": func(s *suite) {
		for _, name := range []string{"", "a.b", "a b", "a/b", strings.Repeat("a", 64)} {
			db := s.engine.Database(name)
			for op, err := range s.everyCall(s.Context(), db, "c") {
				if !errors.Is(err, docdb.ErrInvalid) {
					s.Errorf("%s in database %q: got error %v, want ErrInvalid", op, name, err)
				}
			}
			_, err := db.List(s.Context(), "")
			s.fails(err, docdb.ErrInvalid)
		}
	},
	"a collection that does not exist reads as an empty one": func(s *suite) { s.isEmpty(s.db.Collection("c")) },

	"a conditional write to a collection that does not exist matches nothing": func(s *suite) {
		c := s.db.Collection("c")
		s.fails(c.Replace(s.Context(), Value(1), all, Doc(1)), docdb.ErrNoMatch)
		s.fails(c.Replace(s.Context(), Value(1), when("a", 1), Doc(1)), docdb.ErrNoMatch)
		s.fails(c.Delete(s.Context(), Value(1), all), docdb.ErrNoMatch)
		s.fails(c.Delete(s.Context(), Value(1), when("a", nil)), docdb.ErrNoMatch)
		s.lists("")
	},
	"Insert into a collection that does not exist is ErrNoCollection or creates it": func(s *suite) {
		c := s.db.Collection("c")
		if err := c.Insert(s.Context(), Doc(1)); err == nil {
			s.holds(c, Doc(1))
			s.lists("", "c")
		} else {
			s.fails(err, docdb.ErrNoCollection)
			s.isEmpty(c)
			s.lists("")
		}
	},
	"CreateIndex in a collection that does not exist is ErrNoCollection": func(s *suite) {
		s.fails(s.db.Collection("c").CreateIndex(s.Context(), index("i", "a")), docdb.ErrNoCollection)
		s.lists("")
	},
	"DropIndex in a collection that does not exist is ErrNotFound": func(s *suite) {
		s.fails(s.db.Collection("c").DropIndex(s.Context(), "i"), docdb.ErrNotFound)
	},
	"a call whose context is done fails with the context's error, a write as ErrUnavailable, and does nothing": func(s *suite) {
		s.must(s.db.Create(s.Context(), "c"))
		s.insert(s.db.Collection("c"), Doc(1))
		ctx, cancel := context.WithCancel(s.Context())
		cancel()
		for op, err := range s.everyCall(ctx, s.db, "c") {
			if !errors.Is(err, context.Canceled) {
				s.Errorf("%s: got error %v, want context.Canceled", op, err)
			}
			if write := (Call{Op: op}).Write(); write && !errors.Is(err, docdb.ErrUnavailable) {
				s.Errorf("%s: got error %v, want ErrUnavailable", op, err)
			}
		}
		s.fails(s.engine.Ping(ctx), context.Canceled)
		_, err := s.db.List(ctx, "")
		s.fails(err, context.Canceled)
		s.holds(s.db.Collection("c"), Doc(1))
		s.lists("", "c")
	},
	"Close makes all later calls fail with ErrClosed, and a second Close does nothing": closeCase,
	"Close waits for a Find in progress, which goes on to its end":                     closeFindCase,
	"Close waits for writes in progress: each is done, or refused with ErrClosed":      closeWriteCase,
	"everything is safe for concurrent use":                                            concurrentCase,
}

// isEmpty asks that the collection reads as one without documents and indexes.
func (s *suite) isEmpty(c docdb.Collection) {
	s.Helper()
	_, err := c.Get(s.Context(), Value(1))
	s.fails(err, docdb.ErrNotFound)
	s.inOrder(s.find(c, docdb.Query{}))
	s.inOrder(s.find(c, docdb.Query{Filter: when("a", nil), Desc: true, Limit: 5, After: &docdb.Position{ID: Value(1)}}))
	n, err := c.Count(s.Context(), all)
	s.must(err)
	list, err := c.Indexes(s.Context())
	s.must(err)
	if n != 0 || len(list) != 0 {
		s.Errorf("it counts %d documents and has the indexes %v", n, list)
	}
}

func (s *suite) lists(prefix string, want ...string) {
	s.Helper()
	got, err := s.db.List(s.Context(), prefix)
	s.must(err)
	if diff := cmp.Diff(append([]string{}, want...), append([]string{}, got...)); diff != "" {
		s.Errorf("List(%q) (-want +got):\n%s", prefix, diff)
	}
}

// everyCall does every call on a collection, and returns the errors by method.
func (s *suite) everyCall(ctx context.Context, db docdb.Database, name string) map[string]error {
	c := db.Collection(name)
	errs := map[string]error{
		"Create":      db.Create(ctx, name),
		"Insert":      c.Insert(ctx, Doc(2)),
		"Replace":     c.Replace(ctx, Value(1), all, Doc(1, "a", 1)),
		"Delete":      c.Delete(ctx, Value(1), all),
		"CreateIndex": c.CreateIndex(ctx, index("i", "a")),
		"DropIndex":   c.DropIndex(ctx, "i"),
	}
	_, errs["Get"] = c.Get(ctx, Value(1))
	_, errs["Find"] = collect(ctx, c, docdb.Query{})
	_, errs["Count"] = c.Count(ctx, all)
	_, errs["Indexes"] = c.Indexes(ctx)
	_, errs["InsertMany"] = c.InsertMany(ctx, []bson.Raw{Doc(3)})
	errs["Drop"] = db.Drop(ctx, name)
	return errs
}

func closeCase(s *suite) {
	engine := s.open(s.T)
	db := s.newDatabase(engine)
	s.must(db.Create(s.Context(), "c"))
	s.must(db.Drop(s.Context(), "c"))
	s.must(engine.Close())
	for op, err := range s.everyCall(s.Context(), db, "c") {
		if !errors.Is(err, docdb.ErrClosed) {
			s.Errorf("%s: got error %v, want ErrClosed", op, err)
		}
	}
	s.fails(engine.Ping(s.Context()), docdb.ErrClosed)
	_, err := db.List(s.Context(), "")
	s.fails(err, docdb.ErrClosed)
	s.must(engine.Close())
}

func closeFindCase(s *suite) {
	engine := s.open(s.T)
	db := s.newDatabase(engine)
	s.must(db.Create(s.Context(), "c"))
	c := db.Collection("c")
	var docs []bson.Raw
	for i := range 500 {
		docs = append(docs, Sized(i, 1000))
	}
	s.load(c, docs)
	closed := make(chan error, 1)
	seen := 0
	for _, err := range c.Find(s.Context(), docdb.Query{}) {
		s.must(err)
		if seen++; seen == 1 {
			go func() { closed <- engine.Close() }()
		}
		if seen == 100 {
			select {
			case err := <-closed:
				s.Fatalf("Close returned %v in the middle of Find", err)
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	if seen != len(docs) {
		s.Errorf("Find yielded %d of %d documents", seen, len(docs))
	}
	s.must(<-closed)
}

func closeWriteCase(s *suite) {
	engine := s.open(s.T)
	db := s.newDatabase(engine)
	s.must(db.Create(s.Context(), "c"))
	c := db.Collection("c")
	var wg sync.WaitGroup
	var done atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			for n := range 1000 {
				err := c.Insert(s.Context(), Doc(fmt.Sprint(i, ".", n)))
				if errors.Is(err, docdb.ErrClosed) {
					return
				}
				if err != nil {
					s.Errorf("got error %v, want ErrClosed", err)
					return
				}
				done.Add(1)
			}
		})
	}
	for done.Load() < 20 && !s.Failed() {
		time.Sleep(time.Millisecond)
	}
	s.must(engine.Close())
	wg.Wait()
}

func concurrentCase(s *suite) {
	c := s.collection(index("a", "a"))
	s.load(c, numbered(50, func(i int) []any { return []any{"a", i % 7} }))
	errs := race(8, func(worker int) error {
		ctx := s.Context()
		for i := range max(5, s.opts.Rounds/10) {
			id := 100 + worker*1000 + i
			_, found := collect(ctx, c, docdb.Query{Order: index("", "a").Keys, Limit: 10})
			_, counted := c.Count(ctx, when("a", 3))
			_, got := c.Get(ctx, Value(i%50))
			err := errors.Join(c.Insert(ctx, Doc(id, "a", i)), c.Replace(ctx, Value(id), when("a", i), Doc(id, "a", i+1)),
				c.Delete(ctx, Value(id), when("a", i+1)), found, counted, got)
			if err != nil {
				return err
			}
		}
		return nil
	})
	s.must(errors.Join(errs...))
	s.same(s.find(c, docdb.Query{}), numbered(50, func(i int) []any { return []any{"a", i % 7} }))
}

// numbered returns documents with the _ids 0 to n-1.
func numbered(n int, fields func(i int) []any) []bson.Raw {
	docs := make([]bson.Raw, n)
	for i := range docs {
		docs[i] = Doc(i, fields(i)...)
	}
	return docs
}
