// Package queries has the cases of docdbtest about Find and Count: filters, orders, limits and
// positions.
package queries

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
)

// Find is about Find and Count.
var Find = suite.Cases{
	"the zero Query yields everything in the order of _id, across types": func(s *suite.T) {
		c, docs := mixedIDs(s)
		s.Same(s.Find(c, docdb.Query{}), model.Select(docs, docdb.Query{}))
		s.Same(s.Find(c, docdb.Query{Desc: true}), model.Select(docs, docdb.Query{Desc: true}))
	},
	"Find yields the documents that satisfy the filter, up to the limit": func(s *suite.T) {
		c := s.Collection()
		s.Load(c, suite.Numbered(30, func(i int) []any { return []any{"a", i % 3} }))
		f := suite.When("a", 1)
		s.InOrder(s.Find(c, docdb.Query{Filter: f}), 1, 4, 7, 10, 13, 16, 19, 22, 25, 28)
		s.InOrder(s.Find(c, docdb.Query{Filter: f, Limit: 3}), 1, 4, 7)
		s.InOrder(s.Find(c, docdb.Query{Filter: f, Limit: 3, Desc: true}), 28, 25, 22)
		s.InOrder(s.Find(c, docdb.Query{Filter: f, Limit: 1}), 1)
		s.InOrder(s.Find(c, docdb.Query{Filter: f, Limit: 100, After: &docdb.Position{ID: bsontest.Value(20)}}), 22, 25, 28)
		s.InOrder(s.Find(c, docdb.Query{Filter: suite.When("a", 5)}))
		s.InOrder(s.Find(c, docdb.Query{Filter: suite.When("_id", 5)}), 5)
	},
	"Find yields the documents of up to 1000 _ids, each once, in their order, 1 and 1.0 being one": listedCase,

	"Find yields more documents than fit into one answer of a server": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "pad.none"))
		var docs []bson.Raw
		for i := range 2500 {
			docs = append(docs, bsontest.Sized(i, 200))
		}
		s.Load(c, docs)
		s.Same(s.Find(c, docdb.Query{}), docs)
		s.Same(s.Find(c, docdb.Query{Order: suite.Index("", "pad.none").Keys, Limit: 2400}), docs[:2400])
	},
	"Find may be left early": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"))
		s.Load(c, suite.Numbered(300, func(i int) []any { return []any{"a", i} }))
		for n := range 200 {
			for _, err := range c.Find(s.Context(), docdb.Query{Order: suite.Index("", "a").Keys}) {
				s.Must(err)
				if n--; n < 0 {
					break
				}
			}
		}
	},
	"a Find may be run again, and several at once with writes between": func(s *suite.T) {
		c := s.Collection()
		s.Load(c, suite.Numbered(5, func(int) []any { return nil }))
		outer := c.Find(s.Context(), docdb.Query{})
		for range 2 {
			seen := 0
			for doc, err := range outer {
				s.Must(err)
				s.Must(c.Replace(s.Context(), docdb.ID(doc), suite.All, doc))
				s.InOrder(s.Find(c, docdb.Query{}), 0, 1, 2, 3, 4)
				seen++
			}
			if seen != 5 {
				s.Errorf("it yielded %d documents, want 5", seen)
			}
		}
	},
	"Find ends with the context's error when the context is done": func(s *suite.T) {
		c := s.Collection()
		s.Load(c, suite.Numbered(500, func(int) []any { return nil }))
		ctx, cancel := context.WithCancel(s.Context())
		defer cancel()
		var last error
		for doc, err := range c.Find(ctx, docdb.Query{}) {
			if cancel(); last != nil || (doc == nil) != (err != nil) {
				s.Fatalf("got document %v and error %v after error %v", doc, err, last)
			}
			last = err
		}
		s.Fails(last, context.Canceled)
	},
	"Find by an order that no index gives is ErrNoIndex": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a", "-b"))
		s.Insert(c, bsontest.Doc(1, "a", 1, "b", 1))
		for _, order := range []docdb.Index{suite.Index("", "a"), suite.Index("", "b"), suite.Index("", "b", "a"), suite.Index("", "a", "b"),
			suite.Index("", "-a", "b"), suite.Index("", "a", "-b", "c"), suite.Index("", "_id"), suite.Index("", "c")} {
			docs, err := suite.Collect(s.Context(), c, docdb.Query{Order: order.Keys})
			s.Fails(err, docdb.ErrNoIndex)
			if len(docs) > 0 {
				s.Errorf("by %v: got %v before the error", order.Keys, docs)
			}
		}
		s.InOrder(s.Find(c, docdb.Query{Order: suite.Index("", "a", "-b").Keys}), 1)
	},
	"Count returns how many documents satisfy the filter": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"))
		s.Load(c, suite.Numbered(31, func(i int) []any { return []any{"a", bson.A{i % 3, i % 2}} }))
		for want, f := range map[int64]docdb.Filter{31: suite.All, 0: suite.When("a", 7), 5: s.Filter(bson.D{{Key: "a", Value: bson.A{1, 1}}}),
			20: s.Filter(bson.D{{Key: "a", Value: 1}}), 11: s.Filter(bson.D{{Key: "a", Value: bson.D{{Key: "$ne", Value: 1}}}}), 10: s.Filter(bson.D{{Key: "a", Value: 2}})} {
			if got, err := c.Count(s.Context(), f); err != nil || got != want {
				s.Errorf("%v: got %d, %v, want %d", f.Document(), got, err, want)
			}
		}
	},
	"a document that is there and unchanged is yielded exactly once while others are written": func(s *suite.T) {
		whileWriting(s, func(c docdb.Collection, order []docdb.Key, desc bool) []bson.Raw {
			return s.Find(c, docdb.Query{Order: order, Desc: desc})
		})
	},
}

func listedCase(s *suite.T) {
	c := s.Collection()
	long := strings.Repeat("x", 3000)
	docs := append(suite.Numbered(1200, func(int) []any { return nil }), bsontest.Doc("a"), bsontest.Doc("b"), bsontest.Doc(1.5), bsontest.Doc(nil),
		bsontest.Doc(bson.D{{Key: "k", Value: 1}}),
		bsontest.Doc(true), bsontest.Doc(long+"a"), bsontest.Doc(long+"b"), bsontest.Doc(long))
	s.Load(c, docs)
	var ids []bson.RawValue
	for i := range 1000 - 14 {
		ids = append(ids, bsontest.Value(i*2)) // up to 1970, of which 1200 are there
	}
	for _, id := range []any{long + "b", "b", int64(4), 4.0, 4, bson.D{{Key: "k", Value: 1.0}}, nil, 1.5, true, long + "a", long + "z", 7.25, false, "z"} {
		ids = append(ids, bsontest.Value(id))
	}
	f := docdb.In("_id", ids)
	clear(ids[1].Value) // the filter has a copy
	want := model.Select(docs, docdb.Query{Filter: f})
	if len(want) != 600+7 {
		s.Fatalf("the case is wrong: %d", len(want))
	}
	s.Same(s.Find(c, docdb.Query{Filter: f}), want)
	s.Same(s.Find(c, docdb.Query{Filter: f, Limit: 50}), want[:50])
	between := s.Filter(bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: 4}, {Key: "$lt", Value: 900}}}})
	few := docdb.In("_id", slices.Concat(ids[594:604], ids[986:]))
	for _, f := range []docdb.Filter{docdb.And(few, between), few} {
		pages(s, c, docs, docdb.Query{Filter: f}, 3)
		pages(s, c, docs, docdb.Query{Filter: f, Desc: true}, 3)
	}
	s.Same(s.Find(c, docdb.Query{Filter: docdb.In("_id", nil)}), nil)
	if n, err := c.Count(s.Context(), f); err != nil || int(n) != len(want) {
		s.Errorf("counted %d, %v", n, err)
	}
}

// Paging is about Query.After.
var Paging = suite.Cases{
	"paging by _id yields every document once, both ways": func(s *suite.T) {
		c, docs := mixedIDs(s)
		pages(s, c, docs, docdb.Query{}, 1)
		pages(s, c, docs, docdb.Query{Desc: true}, 7)
	},
	"paging by an index yields every document once, both ways, whatever the values": func(s *suite.T) {
		indexes := []docdb.Index{suite.Index("a", "a"), suite.Index("down", "-a"), suite.Index("ab", "a", "b"), suite.Index("mixed", "b", "-a"),
			suite.Index("dotted", "a.b", "a.c")}
		c := s.Collection(indexes...)
		docs := s.MixedDocuments()
		s.Load(c, docs)
		for _, ix := range indexes {
			pages(s, c, docs, docdb.Query{Order: ix.Keys}, 7)
			pages(s, c, docs, docdb.Query{Order: ix.Keys, Desc: true}, 7)
		}
	},
	"paging by an index among many equal keys goes by _id": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"))
		docs := suite.Numbered(40, func(i int) []any { return []any{"a", i % 2} })
		s.Load(c, docs)
		for _, desc := range []bool{false, true} {
			pages(s, c, docs, docdb.Query{Order: suite.Index("", "a").Keys, Desc: desc}, 3)
		}
	},
	"paging keeps to the filter": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"))
		docs := suite.Numbered(40, func(i int) []any { return []any{"a", bson.A{i % 5, i % 7}, "b", i % 2} })
		s.Load(c, docs)
		for _, desc := range []bool{false, true} {
			pages(s, c, docs, docdb.Query{Order: suite.Index("", "a").Keys, Desc: desc, Filter: suite.When("b", 1)}, 3)
			pages(s, c, docs, docdb.Query{Order: suite.Index("", "a").Keys, Desc: desc, Filter: suite.When("a", 3)}, 2)
			pages(s, c, docs, docdb.Query{Desc: desc, Filter: suite.When("a", 3)}, 2)
		}
	},
	"After may be a position whose document is gone or never was": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"))
		s.Load(c, suite.Numbered(10, func(i int) []any { return []any{"a", i / 3} }))
		order := suite.Index("", "a").Keys
		at := docdb.PositionOf(bsontest.Doc(4, "a", 1), order, false)
		s.Must(c.Delete(s.Context(), bsontest.Value(4), suite.All))
		s.InOrder(s.Find(c, docdb.Query{Order: order, After: &at}), 5, 6, 7, 8, 9)
		s.InOrder(s.Find(c, docdb.Query{Order: order, After: &at, Desc: true}), 3, 2, 1, 0)
		s.InOrder(s.Find(c, docdb.Query{After: &docdb.Position{ID: bsontest.Value(4)}, Limit: 2}), 5, 6)
		s.InOrder(s.Find(c, docdb.Query{After: &docdb.Position{ID: bsontest.Value(6.5)}, Desc: true, Limit: 2}), 6, 5)
		s.InOrder(s.Find(c, docdb.Query{After: &docdb.Position{ID: bsontest.Value("x")}}))
		s.InOrder(s.Find(c, docdb.Query{After: &docdb.Position{ID: bsontest.Value(nil)}, Limit: 1}), 0)
		between := &docdb.Position{Keys: []bson.RawValue{bsontest.Value(0.5)}, ID: bsontest.Value(100)}
		s.InOrder(s.Find(c, docdb.Query{Order: order, After: between, Limit: 2}), 3, 5)
		between = &docdb.Position{Keys: []bson.RawValue{bsontest.Value("x")}, ID: bsontest.Value(nil)}
		s.InOrder(s.Find(c, docdb.Query{Order: order, After: between, Desc: true, Limit: 1}), 9)
	},
	"paging while others write yields every document that is there and unchanged once": func(s *suite.T) {
		whileWriting(s, func(c docdb.Collection, order []docdb.Key, desc bool) []bson.Raw {
			return walk(s, c, docdb.Query{Order: order, Desc: desc, Limit: 7}, 10000)
		})
	},
}

// walk reads page by page, and fails at more than most documents.
func walk(s *suite.T, c docdb.Collection, q docdb.Query, most int) []bson.Raw {
	s.Helper()
	var docs []bson.Raw
	for {
		page := s.Find(c, q)
		docs = append(docs, page...)
		if len(page) < q.Limit {
			return docs
		}
		if len(page) > q.Limit || len(docs) > most {
			s.Fatalf("a page of %d documents, the limit is %d; %d in all", len(page), q.Limit, len(docs))
		}
		at := docdb.PositionOf(page[len(page)-1], q.Order, q.Desc)
		q.After = &at
	}
}

// pages asserts that the pages of a query add up to what the query yields.
func pages(s *suite.T, c docdb.Collection, docs []bson.Raw, q docdb.Query, limit int) {
	s.Helper()
	want := model.Select(docs, q)
	s.Same(s.Find(c, q), want)
	q.Limit = limit
	s.Same(walk(s, c, q, len(docs)), want)
	s.StopIfFailed(fmt.Sprintf("order %v, descending %v, filter %v", q.Order, q.Desc, q.Filter.Document()))
}

// mixedIDs returns a collection with an _id of every type, and its documents.
func mixedIDs(s *suite.T) (docdb.Collection, []bson.Raw) {
	c := s.Collection()
	var docs []bson.Raw
	for _, id := range s.EveryID() {
		docs = append(docs, bsontest.Doc(id, "a", 1))
	}
	suite.Shuffle(docs)
	s.Load(c, docs)
	return c, docs
}

// whileWriting reads again and again, in every order, while documents come, go and move, and
// asserts that each read sees the documents that stay once and in order.
func whileWriting(s *suite.T, read func(c docdb.Collection, order []docdb.Key, desc bool) []bson.Raw) {
	c := s.Collection(suite.Index("a", "a"), suite.Index("t", "t"))
	const n = 150
	docs := suite.Numbered(n, func(i int) []any { return []any{"stays", i%3 > 0, "a", i / 10, "t", bson.A{i % 7, i % 5}} })
	s.Load(c, docs)
	ctx, stop := context.WithCancel(context.WithoutCancel(s.Context()))
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	for worker := range 3 {
		wg.Go(func() {
			if err := churn(ctx, c, worker, n); err != nil {
				failed.Store(&err)
			}
		})
	}
	defer func() {
		stop()
		wg.Wait()
		if err := failed.Load(); err != nil {
			s.Errorf("a writer: %v", *err)
		}
	}()
	stays := func(doc bson.Raw) bool { return doc.Lookup("stays").Boolean() }
	for range max(1, s.Rounds/40) {
		byA, byT := suite.Index("", "a").Keys, suite.Index("", "t").Keys
		for _, q := range []docdb.Query{{}, {Desc: true}, {Order: byA}, {Order: byA, Desc: true}, {Order: byT}, {Order: byT, Desc: true}} {
			got := slices.DeleteFunc(read(c, q.Order, q.Desc), func(doc bson.Raw) bool { return !stays(doc) })
			q.Filter = suite.When("stays", true)
			s.Same(got, model.Select(docs, q))
			s.StopIfFailed(fmt.Sprintf("order %v, descending %v", q.Order, q.Desc))
		}
	}
}

// churn deletes, inserts and moves every third document and documents beside the first n.
func churn(ctx context.Context, c docdb.Collection, worker, n int) error {
	random := rand.New(rand.NewPCG(3, uint64(worker)))
	for ctx.Err() == nil {
		id := random.IntN(n/3) * 3
		if random.IntN(2) == 0 {
			id = -1 - random.IntN(n)
		}
		doc := bsontest.Doc(id, "stays", false, "a", random.IntN(n/10), "t", bson.A{random.IntN(7), random.IntN(5)})
		var err error
		switch random.IntN(3) {
		case 0:
			err = c.Insert(ctx, doc)
		case 1:
			err = c.Replace(ctx, bsontest.Value(id), suite.All, doc)
		case 2:
			err = c.Delete(ctx, bsontest.Value(id), suite.All)
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, docdb.ErrDuplicate) && !errors.Is(err, docdb.ErrNoMatch) {
			return err
		}
	}
	return nil
}
