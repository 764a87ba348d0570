package queries

import (
	"fmt"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
)

// Order is about Query.Order.
var Order = suite.Cases{
	"the order of an index: equal keys in the order of _id, reversed with the rest": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"))
		s.Insert(c, bsontest.Doc(3, "a", 1), bsontest.Doc(1, "a", 1.0), bsontest.Doc(2, "a", int64(1)), bsontest.Doc(5, "a", 0), bsontest.Doc(4, "a", 2))
		ordered(s, c, suite.Index("", "a"), 5, 1, 2, 3, 4)
	},
	"the order of a descending index: equal keys in ascending order of _id": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "-a"))
		s.Insert(c, bsontest.Doc(3, "a", 1), bsontest.Doc(1, "a", 1), bsontest.Doc(2, "a", 2), bsontest.Doc(4))
		ordered(s, c, suite.Index("", "-a"), 2, 1, 3, 4)
	},
	"the order of an index across types, missing as null": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"))
		want := []int{}
		for i, v := range []any{bson.MinKey{}, bson.A{}, nil, "", math.NaN(), -1, 5e-324, 1, "a", "b", bson.D{}, bson.Binary{},
			bson.ObjectID{}, false, true, bson.DateTime(-1), bson.Timestamp{T: 1}, bson.Regex{}, bson.DBPointer{}, bson.JavaScript(""), bson.CodeWithScope{Scope: bson.D{}}, bson.MaxKey{}} {
			doc := bsontest.Doc(i, "a", v)
			if i == 3 {
				doc = bsontest.Doc(i) // missing: after null by its _id
			}
			if !s.Lacks(bsontest.Embedded(doc)) {
				s.Insert(c, doc)
				want = append(want, i)
			}
		}
		ordered(s, c, suite.Index("", "a"), want...)
	},
	"the order of an index on several paths, each in its direction": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a", "-b"), suite.Index("j", "-b", "a"))
		s.Insert(c, bsontest.Doc(1, "a", 1, "b", 1), bsontest.Doc(2, "a", 1, "b", 2), bsontest.Doc(3, "a", 2, "b", 1), bsontest.Doc(4, "a", 1), bsontest.Doc(5, "b", 2))
		ordered(s, c, suite.Index("", "a", "-b"), 5, 2, 1, 4, 3)
		ordered(s, c, suite.Index("", "-b", "a"), 5, 2, 1, 3, 4)
	},
	"an array is in the order with its smallest element, descending with its largest, and once": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"), suite.Index("down", "-a"))
		s.Insert(c, bsontest.Doc(1, "a", bson.A{5, 1}), bsontest.Doc(2, "a", 2), bsontest.Doc(3, "a", bson.A{3, 4, 3}), bsontest.Doc(4, "a", 6),
			bsontest.Doc(5, "a", bson.A{}), bsontest.Doc(6, "a", bson.A{"x", 0}))
		for _, q := range []struct {
			ix   docdb.Index
			desc bool
			want []int
		}{
			{suite.Index("", "a"), false, []int{5, 6, 1, 2, 3, 4}},
			{suite.Index("", "a"), true, []int{6, 4, 1, 3, 2, 5}},
			{suite.Index("", "-a"), false, []int{6, 4, 1, 3, 2, 5}},
			{suite.Index("", "-a"), true, []int{5, 6, 1, 2, 3, 4}},
		} {
			s.InOrder(s.Find(c, docdb.Query{Order: q.ix.Keys, Desc: q.desc}), q.want...)
			s.InOrder(s.Find(c, docdb.Query{Order: q.ix.Keys, Desc: q.desc, Limit: 3}), q.want[:3]...)
		}
	},
	"an array keeps its place whatever the filter selects of it": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"))
		s.Insert(c, bsontest.Doc(1, "a", bson.A{1, 9}), bsontest.Doc(2, "a", 8), bsontest.Doc(3, "a", bson.A{0, 8}), bsontest.Doc(4, "a", 7))
		f := s.Filter(bson.D{{Key: "a", Value: bson.D{{Key: "$gte", Value: 8}}}})
		s.InOrder(s.Find(c, docdb.Query{Filter: f, Order: suite.Index("", "a").Keys}), 3, 1, 2)
		s.InOrder(s.Find(c, docdb.Query{Filter: f, Order: suite.Index("", "a").Keys, Desc: true}), 1, 3, 2)
	},
	"the order of an index on a dotted path through arrays": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a.b"))
		in := func(values ...any) bson.A {
			var list bson.A
			for _, v := range values {
				list = append(list, bson.D{{Key: "b", Value: v}})
			}
			return list
		}
		s.Insert(c, bsontest.Doc(1, "a", in(5, 3)), bsontest.Doc(2, "a", in(4)), bsontest.Doc(3, "a", bson.D{{Key: "b", Value: 1}}),
			bsontest.Doc(4, "a", 1), bsontest.Doc(5, "a", in(bson.A{9, 2})))
		ordered2(s, c, suite.Index("", "a.b"), []int{4, 3, 5, 1, 2}, []int{5, 1, 2, 3, 4})
	},
	"the order follows what Replace and Delete change": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"))
		s.Insert(c, bsontest.Doc(1, "a", bson.A{1, 5}), bsontest.Doc(2, "a", 2), bsontest.Doc(3, "a", 3))
		s.Must(c.Replace(s.Context(), bsontest.Value(1), suite.All, bsontest.Doc(1, "a", bson.A{5, 4})))
		ordered(s, c, suite.Index("", "a"), 2, 3, 1)
		s.Must(c.Replace(s.Context(), bsontest.Value(2), suite.All, bsontest.Doc(2)))
		s.Must(c.Delete(s.Context(), bsontest.Value(3), suite.All))
		ordered(s, c, suite.Index("", "a"), 2, 1)
	},
	"every filter gives the same documents in every order": func(s *suite.T) {
		c := s.Collection(suite.Index("a", "a"), suite.Index("b", "b", "-a"), suite.Index("ab", "a.b"))
		docs := s.MixedDocuments()
		s.Load(c, docs)
		d := func(op string, v any) bson.D { return bson.D{{Key: op, Value: v}} }
		for _, condition := range []any{1, nil, "a", bson.A{}, bson.D{}, d("$ne", nil), d("$gt", 1), d("$lte", "b"), d("$in", bson.A{1, "a", nil}),
			d("$exists", true), d("$exists", false), d("$not", d("$gt", 0)), d("$gte", bson.DateTime(0)), d("$lt", bson.ObjectID{0: 1}), d("$lte", bson.Binary{})} {
			for _, path := range []string{"a", "b", "a.b"} {
				f := s.Filter(bson.D{{Key: path, Value: condition}})
				for _, keys := range [][]docdb.Key{nil, suite.Index("", "a").Keys, suite.Index("", "b", "-a").Keys, suite.Index("", "a.b").Keys} {
					q := docdb.Query{Filter: f, Order: keys, Limit: 20}
					s.Same(s.Find(c, q), model.Select(docs, q))
					s.StopIfFailed(fmt.Sprintf("%v by %v", f.Document(), keys))
				}
			}
		}
	},
}

// ordered asserts the order of an index, and its reverse.
func ordered(s *suite.T, c docdb.Collection, ix docdb.Index, want ...int) {
	s.Helper()
	back := make([]int, len(want))
	for i, id := range want {
		back[len(want)-1-i] = id
	}
	ordered2(s, c, ix, want, back)
}

func ordered2(s *suite.T, c docdb.Collection, ix docdb.Index, want, back []int) {
	s.Helper()
	s.InOrder(s.Find(c, docdb.Query{Order: ix.Keys}), want...)
	s.InOrder(s.Find(c, docdb.Query{Order: ix.Keys, Desc: true}), back...)
}
