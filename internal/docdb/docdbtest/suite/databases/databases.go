// Package databases has the cases of docdbtest about engines, databases, and collections as a
// whole: to create, drop and list them, their names, and the end of an engine.
package databases

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
)

// Cases are about Engine and Database, and about collections that do not exist.
var Cases = suite.Cases{
	"Ping succeeds while the engine can serve": func(s *suite.T) { s.Must(s.Engine.Ping(s.Context())) },

	"Create creates an empty collection without an index": func(s *suite.T) {
		s.Must(s.DB.Create(s.Context(), "c"))
		s.IsEmpty(s.DB.Collection("c"))
		s.Lists("", "c")
	},
	"Create of a name that is there is ErrExists and changes nothing": func(s *suite.T) {
		s.Must(s.DB.Create(s.Context(), "c"))
		s.Insert(s.DB.Collection("c"), bsontest.Doc(1))
		s.Fails(s.DB.Create(s.Context(), "c"), docdb.ErrExists)
		s.Holds(s.DB.Collection("c"), bsontest.Doc(1))
	},
	"Create of one name: among racing calls exactly one succeeds": func(s *suite.T) {
		s.Repeat(10, func(i int) {
			s.OneWins(suite.Race(4, func(int) error { return s.DB.Create(s.Context(), fmt.Sprint("c", i)) }), docdb.ErrExists)
			s.Must(s.DB.Drop(s.Context(), fmt.Sprint("c", i)))
		})
	},
	"Drop removes documents and indexes, and a collection created again is empty": func(s *suite.T) {
		for range 3 {
			s.Must(s.DB.Create(s.Context(), "c"))
			c := s.DB.Collection("c")
			s.IsEmpty(c)
			s.Must(c.CreateIndex(s.Context(), suite.Unique("u", "a")))
			s.Insert(c, bsontest.Doc(1, "a", 1), bsontest.Doc(2, "a", 2))
			s.Must(s.DB.Drop(s.Context(), "c"))
			s.IsEmpty(c)
			s.Lists("")
		}
	},
	"Drop of one collection leaves all others": func(s *suite.T) {
		names := []string{"org", "org_a", "org_a.2", "org_a.20", "org_ab", "org-a", "orga"}
		for _, name := range names {
			s.Must(s.DB.Create(s.Context(), name))
			s.Must(s.DB.Collection(name).CreateIndex(s.Context(), suite.Index("i", "a")))
			s.Insert(s.DB.Collection(name), bsontest.Doc(1, "a", name))
		}
		s.Must(s.DB.Drop(s.Context(), "org_a"))
		for _, name := range names {
			if name != "org_a" {
				s.Same(s.Find(s.DB.Collection(name), docdb.Query{Order: suite.Index("", "a").Keys}), []bson.Raw{bsontest.Doc(1, "a", name)})
			}
		}
	},
	"Drop of a collection that does not exist succeeds": func(s *suite.T) {
		s.Must(s.DB.Drop(s.Context(), "c"))
		s.Must(s.DB.Drop(s.Context(), "c"))
	},
	"List returns the names that begin with a prefix, sorted": func(s *suite.T) {
		for _, name := range []string{"b", "a.b", "axb", "a", "B", "a.b_1", "a_b", "a-b"} {
			s.Must(s.DB.Create(s.Context(), name))
		}
		s.Lists("", "B", "a", "a-b", "a.b", "a.b_1", "a_b", "axb", "b")
		s.Lists("a.b", "a.b", "a.b_1")
		s.Lists("a.", "a.b", "a.b_1")
		s.Lists("c")
		s.Lists("a.b_1.and.more")
	},
	"names are told apart by case": func(s *suite.T) {
		s.Must(s.DB.Create(s.Context(), "Acme"))
		s.Must(s.DB.Create(s.Context(), "acme"))
		s.Insert(s.DB.Collection("acme"), bsontest.Doc(1))
		s.IsEmpty(s.DB.Collection("Acme"))
	},
	"databases are apart": func(s *suite.T) {
		other := s.NewDatabase(s.Engine)
		s.Must(s.DB.Create(s.Context(), "c"))
		s.Must(other.Create(s.Context(), "c"))
		s.Insert(other.Collection("c"), bsontest.Doc(1))
		s.IsEmpty(s.DB.Collection("c"))
		s.Must(s.DB.Drop(s.Context(), "c"))
		s.Holds(other.Collection("c"), bsontest.Doc(1))
	},
	"a collection name may have 170 bytes": func(s *suite.T) {
		name := strings.Repeat("a", docdb.MaxCollectionName)
		s.Must(s.DB.Create(s.Context(), name))
		s.Insert(s.DB.Collection(name), bsontest.Doc(1))
		s.Lists("", name)
	},
	"a bad collection name is ErrInvalid": func(s *suite.T) {
		for _, name := range []string{"", "a b", "a$", "system.a", ".a", "a.", "a..b", "é", strings.Repeat("a", 171)} {
			for op, err := range everyCall(s.Context(), s.DB, name) {
				if !errors.Is(err, docdb.ErrInvalid) {
					s.Errorf("%s with name %q: got error %v, want ErrInvalid", op, name, err)
				}
			}
		}
	},
	"a bad database name is ErrInvalid in the first call that uses it": func(s *suite.T) {
		for _, name := range []string{"", "a.b", "a b", "a/b", strings.Repeat("a", 64)} {
			db := s.Engine.Database(name)
			for op, err := range everyCall(s.Context(), db, "c") {
				if !errors.Is(err, docdb.ErrInvalid) {
					s.Errorf("%s in database %q: got error %v, want ErrInvalid", op, name, err)
				}
			}
			_, err := db.List(s.Context(), "")
			s.Fails(err, docdb.ErrInvalid)
		}
	},
	"a collection that does not exist reads as an empty one": func(s *suite.T) { s.IsEmpty(s.DB.Collection("c")) },

	"a conditional write to a collection that does not exist matches nothing": func(s *suite.T) {
		c := s.DB.Collection("c")
		s.Fails(c.Replace(s.Context(), bsontest.Value(1), suite.All, bsontest.Doc(1)), docdb.ErrNoMatch)
		s.Fails(c.Replace(s.Context(), bsontest.Value(1), suite.When("a", 1), bsontest.Doc(1)), docdb.ErrNoMatch)
		s.Fails(c.Delete(s.Context(), bsontest.Value(1), suite.All), docdb.ErrNoMatch)
		s.Fails(c.Delete(s.Context(), bsontest.Value(1), suite.When("a", nil)), docdb.ErrNoMatch)
		s.Lists("")
	},
	"Insert into a collection that does not exist is ErrNoCollection or creates it": func(s *suite.T) {
		c := s.DB.Collection("c")
		if err := c.Insert(s.Context(), bsontest.Doc(1)); err == nil {
			s.Holds(c, bsontest.Doc(1))
			s.Lists("", "c")
		} else {
			s.Fails(err, docdb.ErrNoCollection)
			s.IsEmpty(c)
			s.Lists("")
		}
	},
	"CreateIndex in a collection that does not exist is ErrNoCollection": func(s *suite.T) {
		s.Fails(s.DB.Collection("c").CreateIndex(s.Context(), suite.Index("i", "a")), docdb.ErrNoCollection)
		s.Lists("")
	},
	"DropIndex in a collection that does not exist is ErrNotFound": func(s *suite.T) {
		s.Fails(s.DB.Collection("c").DropIndex(s.Context(), "i"), docdb.ErrNotFound)
	},
	"a call whose context is done fails with the context's error, a write as ErrUnavailable, and does nothing": func(s *suite.T) {
		s.Must(s.DB.Create(s.Context(), "c"))
		s.Insert(s.DB.Collection("c"), bsontest.Doc(1))
		ctx, cancel := context.WithCancel(s.Context())
		cancel()
		for op, err := range everyCall(ctx, s.DB, "c") {
			if !errors.Is(err, context.Canceled) {
				s.Errorf("%s: got error %v, want context.Canceled", op, err)
			}
			if write := (faulty.Call{Op: op}).Write(); write && !errors.Is(err, docdb.ErrUnavailable) {
				s.Errorf("%s: got error %v, want ErrUnavailable", op, err)
			}
		}
		s.Fails(s.Engine.Ping(ctx), context.Canceled)
		_, err := s.DB.List(ctx, "")
		s.Fails(err, context.Canceled)
		s.Holds(s.DB.Collection("c"), bsontest.Doc(1))
		s.Lists("", "c")
	},
	"Close makes all later calls fail with ErrClosed, and a second Close does nothing": closeCase,
	"Close waits for a Find in progress, which goes on to its end":                     closeFindCase,
	"Close waits for writes in progress: each is done, or refused with ErrClosed":      closeWriteCase,
	"everything is safe for concurrent use":                                            concurrentCase,
}

// everyCall makes every call on a collection, and returns the errors by method.
func everyCall(ctx context.Context, db docdb.Database, name string) map[string]error {
	c := db.Collection(name)
	errs := map[string]error{
		"Create":      db.Create(ctx, name),
		"Insert":      c.Insert(ctx, bsontest.Doc(2)),
		"Replace":     c.Replace(ctx, bsontest.Value(1), suite.All, bsontest.Doc(1, "a", 1)),
		"Delete":      c.Delete(ctx, bsontest.Value(1), suite.All),
		"CreateIndex": c.CreateIndex(ctx, suite.Index("i", "a")),
		"DropIndex":   c.DropIndex(ctx, "i"),
	}
	_, errs["Get"] = c.Get(ctx, bsontest.Value(1))
	_, errs["Find"] = suite.Collect(ctx, c, docdb.Query{})
	_, errs["Count"] = c.Count(ctx, suite.All)
	_, errs["Indexes"] = c.Indexes(ctx)
	_, errs["InsertMany"] = c.InsertMany(ctx, []bson.Raw{bsontest.Doc(3)})
	errs["Drop"] = db.Drop(ctx, name)
	return errs
}

func closeCase(s *suite.T) {
	engine := s.Open(s.T)
	db := s.NewDatabase(engine)
	s.Must(db.Create(s.Context(), "c"))
	s.Must(db.Drop(s.Context(), "c"))
	s.Must(engine.Close())
	for op, err := range everyCall(s.Context(), db, "c") {
		if !errors.Is(err, docdb.ErrClosed) {
			s.Errorf("%s: got error %v, want ErrClosed", op, err)
		}
	}
	s.Fails(engine.Ping(s.Context()), docdb.ErrClosed)
	_, err := db.List(s.Context(), "")
	s.Fails(err, docdb.ErrClosed)
	s.Must(engine.Close())
}

func closeFindCase(s *suite.T) {
	engine := s.Open(s.T)
	db := s.NewDatabase(engine)
	s.Must(db.Create(s.Context(), "c"))
	c := db.Collection("c")
	var docs []bson.Raw
	for i := range 500 {
		docs = append(docs, bsontest.Sized(i, 1000))
	}
	s.Load(c, docs)
	closed := make(chan error, 1)
	seen := 0
	for _, err := range c.Find(s.Context(), docdb.Query{}) {
		s.Must(err)
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
	s.Must(<-closed)
}

func closeWriteCase(s *suite.T) {
	engine := s.Open(s.T)
	db := s.NewDatabase(engine)
	s.Must(db.Create(s.Context(), "c"))
	c := db.Collection("c")
	var wg sync.WaitGroup
	var done atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			for n := range 1000 {
				err := c.Insert(s.Context(), bsontest.Doc(fmt.Sprint(i, ".", n)))
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
	s.Must(engine.Close())
	wg.Wait()
}

func concurrentCase(s *suite.T) {
	c := s.Collection(suite.Index("a", "a"))
	s.Load(c, suite.Numbered(50, func(i int) []any { return []any{"a", i % 7} }))
	errs := suite.Race(8, func(worker int) error {
		ctx := s.Context()
		for i := range max(5, s.Rounds/10) {
			id := 100 + worker*1000 + i
			_, found := suite.Collect(ctx, c, docdb.Query{Order: suite.Index("", "a").Keys, Limit: 10})
			_, counted := c.Count(ctx, suite.When("a", 3))
			_, got := c.Get(ctx, bsontest.Value(i%50))
			err := errors.Join(c.Insert(ctx, bsontest.Doc(id, "a", i)), c.Replace(ctx, bsontest.Value(id), suite.When("a", i), bsontest.Doc(id, "a", i+1)),
				c.Delete(ctx, bsontest.Value(id), suite.When("a", i+1)), found, counted, got)
			if err != nil {
				return err
			}
		}
		return nil
	})
	s.Must(errors.Join(errs...))
	s.Same(s.Find(c, docdb.Query{}), suite.Numbered(50, func(i int) []any { return []any{"a", i % 7} }))
}
