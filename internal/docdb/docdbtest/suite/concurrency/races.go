// Package concurrency has the cases of docdbtest about calls at the same time, and about writes
// whose callers give up.
package concurrency

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
)

const racers = 8

// Races are about calls at the same time.
var Races = suite.Cases{
	"compare-and-swap: of racing Replaces exactly one succeeds": func(s *suite.T) {
		c := s.Collection()
		s.Insert(c, bsontest.Doc(1, "version", 0))
		s.Repeat(1, func(i int) {
			winner := s.OneWins(suite.Race(racers, func(racer int) error {
				return c.Replace(s.Context(), bsontest.Value(1), suite.When("version", i), bsontest.Doc(1, "version", i+1, "by", racer))
			}), docdb.ErrNoMatch)
			s.Holds(c, bsontest.Doc(1, "version", i+1, "by", winner))
		})
	},
	"compare-and-swap: a counter reaches exactly the number of acknowledged increments": counterCase,

	"compare-and-swap: of racing Deletes exactly one succeeds": func(s *suite.T) {
		c := s.Collection(suite.Unique("u", "a"))
		s.Repeat(4, func(i int) {
			s.Insert(c, bsontest.Doc(i, "a", 1))
			s.OneWins(suite.Race(racers, func(int) error { return c.Delete(s.Context(), bsontest.Value(i), suite.When("a", 1)) }), docdb.ErrNoMatch)
			isEmptyOf(s, c)
		})
	},
	"compare-and-swap: of racing Replaces and Deletes exactly one succeeds": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"))
		s.Repeat(4, func(i int) {
			s.Insert(c, bsontest.Doc(1, "a", i))
			winner := s.OneWins(suite.Race(racers, func(racer int) error {
				if racer%2 == 0 {
					return c.Delete(s.Context(), bsontest.Value(1), suite.When("a", i))
				}
				return c.Replace(s.Context(), bsontest.Value(1), suite.When("a", i), bsontest.Doc(1, "a", i+1))
			}), docdb.ErrNoMatch)
			found := s.Find(c, docdb.Query{Order: suite.Index("", "a").Keys})
			if winner%2 == 0 {
				s.InOrder(found)
				return
			}
			s.Same(found, []bson.Raw{bsontest.Doc(1, "a", i+1)})
			s.Must(c.Delete(s.Context(), bsontest.Value(1), suite.All))
		})
	},
	"of racing Inserts of one _id exactly one succeeds": func(s *suite.T) {
		c := s.Collection()
		s.Repeat(2, func(i int) {
			errs := suite.Race(racers, func(racer int) error { return c.Insert(s.Context(), bsontest.Doc(i, "by", racer)) })
			winner := s.OneWins(errs, docdb.ErrDuplicate)
			got, err := c.Get(s.Context(), bsontest.Value(i))
			s.Must(err)
			s.Same([]bson.Raw{got}, []bson.Raw{bsontest.Doc(i, "by", winner)})
			s.Duplicates(errs[(winner+1)%racers], docdb.IDIndex)
		})
	},
	"of racing Inserts of one unique key exactly one succeeds": func(s *suite.T) {
		c := s.Collection(suite.Unique("u", "a"))
		s.Repeat(2, func(i int) {
			errs := suite.Race(racers, func(racer int) error {
				return c.Insert(s.Context(), bsontest.Doc(fmt.Sprint(i, ".", racer), "a", bson.A{i, -1 - i*racers - racer}))
			})
			winner := s.OneWins(errs, docdb.ErrDuplicate)
			s.Duplicates(errs[(winner+1)%racers], "u")
			counts(s, c, i+1)
		})
	},
	"of racing Replaces to one unique key exactly one succeeds": func(s *suite.T) {
		c := s.Collection(suite.Unique("u", "a"))
		for i := range racers {
			s.Insert(c, bsontest.Doc(i, "a", -i-1))
		}
		s.Repeat(4, func(i int) {
			winner := s.OneWins(suite.Race(racers, func(racer int) error {
				return c.Replace(s.Context(), bsontest.Value(racer), suite.All, bsontest.Doc(racer, "a", i))
			}), docdb.ErrDuplicate)
			s.InOrder(s.Find(c, docdb.Query{Filter: suite.When("a", i), Order: suite.Index("", "a").Keys}), winner)
			s.Must(c.Replace(s.Context(), bsontest.Value(winner), suite.When("a", i), bsontest.Doc(winner, "a", -winner-1)))
		})
	},
	"of a racing Insert and Replace to one unique key exactly one succeeds": func(s *suite.T) {
		c := s.Collection(suite.Unique("u", "a"))
		s.Insert(c, bsontest.Doc(0, "a", -1))
		s.Repeat(4, func(i int) {
			winner := s.OneWins(suite.Race(2, func(racer int) error {
				if racer == 0 {
					return c.Insert(s.Context(), bsontest.Doc(1, "a", i))
				}
				return c.Replace(s.Context(), bsontest.Value(0), suite.All, bsontest.Doc(0, "a", i))
			}), docdb.ErrDuplicate)
			if winner == 0 {
				s.Must(c.Delete(s.Context(), bsontest.Value(1), suite.When("a", i)))
			} else {
				s.Must(c.Replace(s.Context(), bsontest.Value(0), suite.When("a", i), bsontest.Doc(0, "a", -1)))
			}
			s.Holds(c, bsontest.Doc(0, "a", -1))
		})
	},
	"a unique key changes hands once: the write that frees it and a write that takes it do not both fail": freeKeyCase,

	"of racing InsertManys each document is added by exactly one": func(s *suite.T) {
		s.Repeat(20, func(int) {
			c := s.Collection(suite.Unique("u", "a"))
			docs := suite.Numbered(50, func(i int) []any { return []any{"a", i} })
			results := make([][]error, 4)
			s.Must(errors.Join(suite.Race(4, func(i int) (err error) {
				results[i], err = c.InsertMany(s.Context(), docs)
				return err
			})...))
			for i := range docs {
				s.OneWins([]error{results[0][i], results[1][i], results[2][i], results[3][i]}, docdb.ErrDuplicate)
			}
			s.Holds(c, docs...)
		})
	},
	"an index that is created while documents are written holds them all":          createIndexRaceCase,
	"a unique index that is created while documents are written is never violated": createUniqueRaceCase,
	"of racing CreateIndexes of one index all succeed, and there is one": func(s *suite.T) {
		c := s.Collection()
		s.Insert(c, bsontest.Doc(1, "a", 1))
		s.Must(errors.Join(suite.Race(4, func(int) error { return c.CreateIndex(s.Context(), suite.Unique("u", "a")) })...))
		s.HasIndexes(c, suite.Unique("u", "a"))
	},
	"a read sees every write that was acknowledged before it began": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "n"))
		s.Insert(c, bsontest.Doc(1, "n", 0))
		var acknowledged, stop atomic.Int64
		s.Must(errors.Join(suite.Race(4, func(racer int) error {
			if racer > 0 {
				for stop.Load() == 0 {
					if err := notBehind(s.Context(), c, &acknowledged); err != nil {
						return err
					}
				}
				return nil
			}
			defer stop.Store(1)
			for i := 1; i <= s.Rounds; i++ {
				if err := c.Replace(s.Context(), bsontest.Value(1), suite.All, bsontest.Doc(1, "n", i)); err != nil {
					return err
				}
				acknowledged.Store(int64(i))
			}
			return nil
		})...))
	},
}

// notBehind reads the one document in three ways, and fails if a read is older than what was
// acknowledged before it.
func notBehind(ctx context.Context, c docdb.Collection, acknowledged *atomic.Int64) error {
	check := func(how string, want int64, doc bson.Raw, err error) error {
		if err != nil {
			return err
		}
		if n, _ := doc.Lookup("n").AsInt64OK(); n < want {
			return fmt.Errorf("%s: read %d when %d was acknowledged", how, n, want)
		}
		return nil
	}
	want := acknowledged.Load()
	doc, err := c.Get(ctx, bsontest.Value(1))
	if err := check("Get", want, doc, err); err != nil {
		return err
	}
	for _, order := range [][]docdb.Key{nil, suite.Index("", "n").Keys} {
		want := acknowledged.Load()
		docs, err := suite.Collect(ctx, c, docdb.Query{Order: order, Desc: true, Limit: 1})
		if err == nil && len(docs) == 0 {
			// The document has been moving up the index; an engine that walks the live
			// index may miss a document that changes. See the contract on Find.
			continue
		}
		if err == nil {
			doc = docs[0]
		}
		if err := check(fmt.Sprint("Find by ", order), want, doc, err); err != nil {
			return err
		}
	}
	return nil
}

// counterCase has workers increment one counter, each reading and swapping.
func counterCase(s *suite.T) {
	c := s.Collection()
	s.Insert(c, bsontest.Doc(1, "n", int64(0)))
	var acknowledged atomic.Int64
	s.Must(errors.Join(suite.Race(racers, func(int) error {
		for acknowledged.Load() < int64(s.Rounds) {
			doc, err := c.Get(s.Context(), bsontest.Value(1))
			if err != nil {
				return err
			}
			n := doc.Lookup("n").Int64()
			err = c.Replace(s.Context(), bsontest.Value(1), suite.When("n", n), bsontest.Doc(1, "n", n+1))
			if err == nil {
				acknowledged.Add(1)
			} else if !errors.Is(err, docdb.ErrNoMatch) {
				return err
			}
		}
		return nil
	})...))
	s.Holds(c, bsontest.Doc(1, "n", acknowledged.Load()))
}

// freeKeyCase: a document gives up a key by Delete or Replace while others try
// to take it until one has it. In the end exactly one has.
func freeKeyCase(s *suite.T) {
	c := s.Collection(suite.Unique("u", "a"))
	s.Repeat(10, func(i int) {
		s.Insert(c, bsontest.Doc("holder", "a", i))
		var taken atomic.Bool
		errs := suite.Race(4, func(racer int) error {
			if racer == 0 && i%2 == 0 {
				return c.Delete(s.Context(), bsontest.Value("holder"), suite.When("a", i))
			}
			if racer == 0 {
				return c.Replace(s.Context(), bsontest.Value("holder"), suite.When("a", i), bsontest.Doc("holder", "a", -i-1))
			}
			for {
				err := c.Insert(s.Context(), bsontest.Doc(i*10+racer, "a", i))
				if err == nil {
					taken.Store(true)
				}
				if taken.Load() || !errors.Is(err, docdb.ErrDuplicate) {
					return err
				}
			}
		})
		s.Must(errs[0])
		s.OneWins(errs[1:], docdb.ErrDuplicate)
		if i%2 == 1 {
			s.Must(c.Delete(s.Context(), bsontest.Value("holder"), suite.All))
		}
		counts(s, c, i+1)
	})
}

// createIndexRaceCase writes while an index is made, and then reads by it.
func createIndexRaceCase(s *suite.T) {
	const each = 20
	s.Repeat(50, func(int) {
		c := s.Collection()
		s.Load(c, suite.Numbered(each, func(i int) []any { return []any{"a", i} }))
		s.Must(errors.Join(suite.Race(4, func(racer int) error {
			if racer == 0 {
				return c.CreateIndex(s.Context(), suite.Index("i", "a"))
			}
			for i := range each {
				id, from := racer*each+i, (racer-1)*each/3+i/3
				if err := c.Insert(s.Context(), bsontest.Doc(id, "a", id)); err != nil {
					return err
				}
				if from%3 == 0 && racer == 1 {
					if err := c.Replace(s.Context(), bsontest.Value(from), suite.All, bsontest.Doc(from, "a", from)); err != nil {
						return err
					}
				}
			}
			return c.Delete(s.Context(), bsontest.Value(racer*each), suite.All)
		})...))
		found := s.Find(c, docdb.Query{Order: suite.Index("", "a").Keys})
		s.Same(found, s.Find(c, docdb.Query{})) // a is the _id, so the orders are the same
		if want := each + 3*(each-1); len(found) != want {
			s.Errorf("by the index there are %d documents, want %d", len(found), want)
		}
	})
}

// createUniqueRaceCase inserts pairs of equal keys while a unique index is made.
func createUniqueRaceCase(s *suite.T) {
	s.Repeat(50, func(int) {
		c := s.Collection()
		errs := suite.Race(3, func(racer int) error {
			if racer == 0 {
				return c.CreateIndex(s.Context(), suite.Unique("u", "a"))
			}
			for i := range 20 {
				if err := c.Insert(s.Context(), bsontest.Doc(racer*100+i, "a", i)); err != nil && !errors.Is(err, docdb.ErrDuplicate) {
					return err
				}
			}
			return nil
		})
		s.Must(errors.Join(errs[1:]...))
		docs := s.Find(c, docdb.Query{})
		if errs[0] != nil {
			s.Duplicates(errs[0], "u")
			s.HasIndexes(c)
			if len(docs) != 40 {
				s.Errorf("without the index there are %d documents, want 40", len(docs))
			}
			return
		}
		s.HasIndexes(c, suite.Unique("u", "a"))
		if len(docs) != 20 || len(s.Find(c, docdb.Query{Order: suite.Index("", "a").Keys})) != 20 {
			s.Errorf("the unique index is there, and %d documents, want 20", len(docs))
		}
	})
}

// isEmptyOf asserts that the collection has no document.
func isEmptyOf(s *suite.T, c docdb.Collection) { s.Helper(); counts(s, c, 0) }

// counts asserts that the collection has want documents, counted in two ways.
func counts(s *suite.T, c docdb.Collection, want int) {
	s.Helper()
	n, err := c.Count(s.Context(), suite.All)
	s.Must(err)
	if found := s.Find(c, docdb.Query{}); int(n) != want || len(found) != want {
		s.Errorf("there are %d documents, and Count is %d, want %d", len(found), n, want)
	}
}
