package docdbtest

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
)

// findCases are the sentences on Find and Count.
var findCases = map[string]func(*suite){
	"the zero Query yields everything in the order of _id, across types": func(s *suite) {
		c, docs := s.zooByID()
		s.same(s.find(c, docdb.Query{}), Select(docs, docdb.Query{}))
		s.same(s.find(c, docdb.Query{Desc: true}), Select(docs, docdb.Query{Desc: true}))
	},
	"Find yields the documents that satisfy the filter, up to the limit": func(s *suite) {
		c := s.collection()
		s.load(c, numbered(30, func(i int) []any { return []any{"a", i % 3} }))
		f := when("a", 1)
		s.inOrder(s.find(c, docdb.Query{Filter: f}), 1, 4, 7, 10, 13, 16, 19, 22, 25, 28)
		s.inOrder(s.find(c, docdb.Query{Filter: f, Limit: 3}), 1, 4, 7)
		s.inOrder(s.find(c, docdb.Query{Filter: f, Limit: 3, Desc: true}), 28, 25, 22)
		s.inOrder(s.find(c, docdb.Query{Filter: f, Limit: 1}), 1)
		s.inOrder(s.find(c, docdb.Query{Filter: f, Limit: 100, After: &docdb.Position{ID: Value(20)}}), 22, 25, 28)
		s.inOrder(s.find(c, docdb.Query{Filter: when("a", 5)}))
		s.inOrder(s.find(c, docdb.Query{Filter: when("_id", 5)}), 5)
	},
	"Find yields the documents of up to 1000 _ids, each once, in their order, 1 and 1.0 being one": listedCase,

	"Find yields more documents than fit into one answer of a server": func(s *suite) {
		c := s.collection(index("i", "pad.none"))
		var docs []bson.Raw
		for i := range 2500 {
			docs = append(docs, Sized(i, 200))
		}
		s.load(c, docs)
		s.same(s.find(c, docdb.Query{}), docs)
		s.same(s.find(c, docdb.Query{Order: index("", "pad.none").Keys, Limit: 2400}), docs[:2400])
	},
	"Find may be left early": func(s *suite) {
		c := s.collection(index("i", "a"))
		s.load(c, numbered(300, func(i int) []any { return []any{"a", i} }))
		for n := range 200 {
			for _, err := range c.Find(s.Context(), docdb.Query{Order: index("", "a").Keys}) {
				s.must(err)
				if n--; n < 0 {
					break
				}
			}
		}
	},
	"a Find may be run again, and several at once with writes between": func(s *suite) {
		c := s.collection()
		s.load(c, numbered(5, func(int) []any { return nil }))
		outer := c.Find(s.Context(), docdb.Query{})
		for range 2 {
			seen := 0
			for doc, err := range outer {
				s.must(err)
				s.must(c.Replace(s.Context(), docdb.ID(doc), all, doc))
				s.inOrder(s.find(c, docdb.Query{}), 0, 1, 2, 3, 4)
				seen++
			}
			if seen != 5 {
				s.Errorf("it yielded %d documents, want 5", seen)
			}
		}
	},
	"Find ends with the context's error when the context is done": func(s *suite) {
		c := s.collection()
		s.load(c, numbered(500, func(int) []any { return nil }))
		ctx, cancel := context.WithCancel(s.Context())
		defer cancel()
		var last error
		for doc, err := range c.Find(ctx, docdb.Query{}) {
			if cancel(); last != nil || (doc == nil) != (err != nil) {
				s.Fatalf("got document %v and error %v after error %v", doc, err, last)
			}
			last = err
		}
		s.fails(last, context.Canceled)
	},
	"Find by an order that no index gives is ErrNoIndex": func(s *suite) {
		c := s.collection(index("i", "a", "-b"))
		s.insert(c, Doc(1, "a", 1, "b", 1))
		for _, order := range []docdb.Index{index("", "a"), index("", "b"), index("", "b", "a"), index("", "a", "b"),
			index("", "-a", "b"), index("", "a", "-b", "c"), index("", "_id"), index("", "c")} {
			docs, err := collect(s.Context(), c, docdb.Query{Order: order.Keys})
			s.fails(err, docdb.ErrNoIndex)
			if len(docs) > 0 {
				s.Errorf("by %v: got %v before the error", order.Keys, docs)
			}
		}
		s.inOrder(s.find(c, docdb.Query{Order: index("", "a", "-b").Keys}), 1)
	},
	"Count returns how many documents satisfy the filter": func(s *suite) {
		c := s.collection(index("i", "a"))
		s.load(c, numbered(31, func(i int) []any { return []any{"a", bson.A{i % 3, i % 2}} }))
		for want, f := range map[int64]docdb.Filter{31: all, 0: when("a", 7), 5: s.filter(bson.D{{Key: "a", Value: bson.A{1, 1}}}),
			20: s.filter(bson.D{{Key: "a", Value: 1}}), 11: s.filter(bson.D{{Key: "a", Value: bson.D{{Key: "$ne", Value: 1}}}}), 10: s.filter(bson.D{{Key: "a", Value: 2}})} {
			if got, err := c.Count(s.Context(), f); err != nil || got != want {
				s.Errorf("%v: got %d, %v, want %d", f.Document(), got, err, want)
			}
		}
	},
	"a document that is there and unchanged is yielded exactly once while others are written": func(s *suite) {
		s.whileWriting(func(c docdb.Collection, order []docdb.Key, desc bool) []bson.Raw {
			return s.find(c, docdb.Query{Order: order, Desc: desc})
		})
	},
}

func listedCase(s *suite) {
	c := s.collection()
	long := strings.Repeat("x", 3000)
	docs := append(numbered(1200, func(int) []any { return nil }), Doc("a"), Doc("b"), Doc(1.5), Doc(nil), Doc(bson.D{{Key: "k", Value: 1}}),
		Doc(true), Doc(long+"a"), Doc(long+"b"), Doc(long))
	s.load(c, docs)
	var ids []bson.RawValue
	for i := range 1000 - 14 {
		ids = append(ids, Value(i*2)) // up to 1970, of which 1200 are there
	}
	for _, id := range []any{long + "b", "b", int64(4), 4.0, 4, bson.D{{Key: "k", Value: 1.0}}, nil, 1.5, true, long + "a", long + "z", 7.25, false, "z"} {
		ids = append(ids, Value(id))
	}
	f := docdb.In("_id", ids)
	clear(ids[1].Value) // the filter has its own
	want := Select(docs, docdb.Query{Filter: f})
	if len(want) != 600+7 {
		s.Fatalf("the case is wrong: %d", len(want))
	}
	s.same(s.find(c, docdb.Query{Filter: f}), want)
	s.same(s.find(c, docdb.Query{Filter: f, Limit: 50}), want[:50])
	between := s.filter(bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: 4}, {Key: "$lt", Value: 900}}}})
	few := docdb.In("_id", slices.Concat(ids[594:604], ids[986:]))
	for _, f := range []docdb.Filter{docdb.And(few, between), few} {
		s.pages(c, docs, docdb.Query{Filter: f}, 3)
		s.pages(c, docs, docdb.Query{Filter: f, Desc: true}, 3)
	}
	s.same(s.find(c, docdb.Query{Filter: docdb.In("_id", nil)}), nil)
	if n, err := c.Count(s.Context(), f); err != nil || int(n) != len(want) {
		s.Errorf("counted %d, %v", n, err)
	}
}

// pagingCases are the sentences on Query.After.
var pagingCases = map[string]func(*suite){
	"paging by _id yields every document once, both ways": func(s *suite) {
		c, docs := s.zooByID()
		s.pages(c, docs, docdb.Query{}, 1)
		s.pages(c, docs, docdb.Query{Desc: true}, 7)
	},
	"paging by an index yields every document once, both ways, whatever the values": func(s *suite) {
		indexes := []docdb.Index{index("a", "a"), index("down", "-a"), index("ab", "a", "b"), index("mixed", "b", "-a"), index("dotted", "a.b", "a.c")}
		c := s.collection(indexes...)
		docs := s.zoo()
		s.load(c, docs)
		for _, ix := range indexes {
			s.pages(c, docs, docdb.Query{Order: ix.Keys}, 7)
			s.pages(c, docs, docdb.Query{Order: ix.Keys, Desc: true}, 7)
		}
	},
	"paging by an index among many equal keys goes by _id": func(s *suite) {
		c := s.collection(index("i", "a"))
		docs := numbered(40, func(i int) []any { return []any{"a", i % 2} })
		s.load(c, docs)
		for _, desc := range []bool{false, true} {
			s.pages(c, docs, docdb.Query{Order: index("", "a").Keys, Desc: desc}, 3)
		}
	},
	"paging keeps to the filter": func(s *suite) {
		c := s.collection(index("i", "a"))
		docs := numbered(40, func(i int) []any { return []any{"a", bson.A{i % 5, i % 7}, "b", i % 2} })
		s.load(c, docs)
		for _, desc := range []bool{false, true} {
			s.pages(c, docs, docdb.Query{Order: index("", "a").Keys, Desc: desc, Filter: when("b", 1)}, 3)
			s.pages(c, docs, docdb.Query{Order: index("", "a").Keys, Desc: desc, Filter: when("a", 3)}, 2)
			s.pages(c, docs, docdb.Query{Desc: desc, Filter: when("a", 3)}, 2)
		}
	},
	"After may be a position whose document is gone or never was": func(s *suite) {
		c := s.collection(index("i", "a"))
		s.load(c, numbered(10, func(i int) []any { return []any{"a", i / 3} }))
		order := index("", "a").Keys
		at := docdb.PositionOf(Doc(4, "a", 1), order, false)
		s.must(c.Delete(s.Context(), Value(4), all))
		s.inOrder(s.find(c, docdb.Query{Order: order, After: &at}), 5, 6, 7, 8, 9)
		s.inOrder(s.find(c, docdb.Query{Order: order, After: &at, Desc: true}), 3, 2, 1, 0)
		s.inOrder(s.find(c, docdb.Query{After: &docdb.Position{ID: Value(4)}, Limit: 2}), 5, 6)
		s.inOrder(s.find(c, docdb.Query{After: &docdb.Position{ID: Value(6.5)}, Desc: true, Limit: 2}), 6, 5)
		s.inOrder(s.find(c, docdb.Query{After: &docdb.Position{ID: Value("x")}}))
		s.inOrder(s.find(c, docdb.Query{After: &docdb.Position{ID: Value(nil)}, Limit: 1}), 0)
		between := &docdb.Position{Keys: []bson.RawValue{Value(0.5)}, ID: Value(100)}
		s.inOrder(s.find(c, docdb.Query{Order: order, After: between, Limit: 2}), 3, 5)
		between = &docdb.Position{Keys: []bson.RawValue{Value("x")}, ID: Value(nil)}
		s.inOrder(s.find(c, docdb.Query{Order: order, After: between, Desc: true, Limit: 1}), 9)
	},
	"paging while others write yields every document that is there and unchanged once": func(s *suite) {
		s.whileWriting(func(c docdb.Collection, order []docdb.Key, desc bool) []bson.Raw {
			return s.walk(c, docdb.Query{Order: order, Desc: desc, Limit: 7}, 10000)
		})
	},
}

// walk reads page by page, and fails when documents never end.
func (s *suite) walk(c docdb.Collection, q docdb.Query, most int) []bson.Raw {
	s.Helper()
	var docs []bson.Raw
	for {
		page := s.find(c, q)
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

// pages asks that the pages of a query are together what the query yields.
func (s *suite) pages(c docdb.Collection, docs []bson.Raw, q docdb.Query, limit int) {
	s.Helper()
	want := Select(docs, q)
	s.same(s.find(c, q), want)
	q.Limit = limit
	s.same(s.walk(c, q, len(docs)), want)
	s.failedAt(fmt.Sprintf("order %v, descending %v, filter %v", q.Order, q.Desc, q.Filter.Document()))
}

// zooByID is a collection with an _id of every type.
func (s *suite) zooByID() (docdb.Collection, []bson.Raw) {
	c := s.collection()
	var docs []bson.Raw
	for _, id := range s.everyID() {
		docs = append(docs, Doc(id, "a", 1))
	}
	shuffle(docs)
	s.load(c, docs)
	return c, docs
}

// zoo is documents with values of every type, missing, in arrays, in documents
// and more than once, under a and b; never arrays under both.
func (s *suite) zoo() []bson.Raw {
	var docs []bson.Raw
	add := func(fields ...any) {
		if doc := Doc(len(docs), fields...); !s.lacks(document(doc)) {
			docs = append(docs, doc)
		}
	}
	for i, v := range s.everyType() {
		add("a", v)
		add("b", i%5, "a", v)
		add("a", bson.A{v, int32(i % 3)}, "b", i%2)
		add("a", bson.D{{Key: "b", Value: v}, {Key: "c", Value: i % 3}})
	}
	add("b", 1)
	add("a", bson.A{})
	add("a", bson.A{bson.A{}, bson.A{1}})
	add("a", bson.A{bson.D{{Key: "b", Value: 2}, {Key: "c", Value: 1}}, bson.D{{Key: "b", Value: 1}, {Key: "c", Value: 5}}, 7})
	shuffle(docs)
	return docs
}

// shuffle puts documents in an order that has nothing to do with their values,
// the same every time.
func shuffle(docs []bson.Raw) {
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
}

// whileWriting reads again and again, in every order, while documents come, go
// and move, and asks that those that stay are seen once and in order.
func (s *suite) whileWriting(read func(c docdb.Collection, order []docdb.Key, desc bool) []bson.Raw) {
	c := s.collection(index("a", "a"), index("t", "t"))
	const n = 150
	docs := numbered(n, func(i int) []any { return []any{"stays", i%3 > 0, "a", i / 10, "t", bson.A{i % 7, i % 5}} })
	s.load(c, docs)
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
	for range max(1, s.opts.Rounds/40) {
		for _, q := range []docdb.Query{{}, {Desc: true}, {Order: index("", "a").Keys}, {Order: index("", "a").Keys, Desc: true}, {Order: index("", "t").Keys}, {Order: index("", "t").Keys, Desc: true}} {
			got := slices.DeleteFunc(read(c, q.Order, q.Desc), func(doc bson.Raw) bool { return !stays(doc) })
			q.Filter = when("stays", true)
			s.same(got, Select(docs, q))
			s.failedAt(fmt.Sprintf("order %v, descending %v", q.Order, q.Desc))
		}
	}
}

// churn deletes, inserts and moves every third document, and others that were
// not there.
func churn(ctx context.Context, c docdb.Collection, worker, n int) error {
	random := rand.New(rand.NewPCG(3, uint64(worker)))
	for ctx.Err() == nil {
		id := random.IntN(n/3) * 3
		if random.IntN(2) == 0 {
			id = -1 - random.IntN(n)
		}
		doc := Doc(id, "stays", false, "a", random.IntN(n/10), "t", bson.A{random.IntN(7), random.IntN(5)})
		var err error
		switch random.IntN(3) {
		case 0:
			err = c.Insert(ctx, doc)
		case 1:
			err = c.Replace(ctx, Value(id), all, doc)
		case 2:
			err = c.Delete(ctx, Value(id), all)
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, docdb.ErrDuplicate) && !errors.Is(err, docdb.ErrNoMatch) {
			return err
		}
	}
	return nil
}
