package docdbtest

import (
	"fmt"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// orderCases are the sentences on Query.Order.
var orderCases = map[string]func(*suite){
	"the order of an index: equal keys in the order of _id, reversed with the rest": func(s *suite) {
		c := s.collection(index("i", "a"))
		s.insert(c, Doc(3, "a", 1), Doc(1, "a", 1.0), Doc(2, "a", int64(1)), Doc(5, "a", 0), Doc(4, "a", 2))
		s.ordered(c, index("", "a"), 5, 1, 2, 3, 4)
	},
	"the order of a descending index: equal keys in ascending order of _id": func(s *suite) {
		c := s.collection(index("i", "-a"))
		s.insert(c, Doc(3, "a", 1), Doc(1, "a", 1), Doc(2, "a", 2), Doc(4))
		s.ordered(c, index("", "-a"), 2, 1, 3, 4)
	},
	"the order of an index across types, missing as null": func(s *suite) {
		c := s.collection(index("i", "a"))
		want := []int{}
		for i, v := range []any{bson.MinKey{}, bson.A{}, nil, "", math.NaN(), -1, 5e-324, 1, "a", "b", bson.D{}, bson.Binary{},
			bson.ObjectID{}, false, true, bson.DateTime(-1), bson.Timestamp{T: 1}, bson.Regex{}, bson.DBPointer{}, bson.JavaScript(""), bson.CodeWithScope{Scope: bson.D{}}, bson.MaxKey{}} {
			doc := Doc(i, "a", v)
			if i == 3 {
				doc = Doc(i) // missing: after null by its _id
			}
			if !s.lacks(document(doc)) {
				s.insert(c, doc)
				want = append(want, i)
			}
		}
		s.ordered(c, index("", "a"), want...)
	},
	"the order of an index on several paths, each in its direction": func(s *suite) {
		c := s.collection(index("i", "a", "-b"), index("j", "-b", "a"))
		s.insert(c, Doc(1, "a", 1, "b", 1), Doc(2, "a", 1, "b", 2), Doc(3, "a", 2, "b", 1), Doc(4, "a", 1), Doc(5, "b", 2))
		s.ordered(c, index("", "a", "-b"), 5, 2, 1, 4, 3)
		s.ordered(c, index("", "-b", "a"), 5, 2, 1, 3, 4)
	},
	"an array is in the order with its smallest element, descending with its largest, and once": func(s *suite) {
		c := s.collection(index("i", "a"), index("down", "-a"))
		s.insert(c, Doc(1, "a", bson.A{5, 1}), Doc(2, "a", 2), Doc(3, "a", bson.A{3, 4, 3}), Doc(4, "a", 6), Doc(5, "a", bson.A{}), Doc(6, "a", bson.A{"x", 0}))
		for _, q := range []struct {
			ix   docdb.Index
			desc bool
			want []int
		}{
			{index("", "a"), false, []int{5, 6, 1, 2, 3, 4}},
			{index("", "a"), true, []int{6, 4, 1, 3, 2, 5}},
			{index("", "-a"), false, []int{6, 4, 1, 3, 2, 5}},
			{index("", "-a"), true, []int{5, 6, 1, 2, 3, 4}},
		} {
			s.inOrder(s.find(c, docdb.Query{Order: q.ix.Keys, Desc: q.desc}), q.want...)
			s.inOrder(s.find(c, docdb.Query{Order: q.ix.Keys, Desc: q.desc, Limit: 3}), q.want[:3]...)
		}
	},
	"an array keeps its place whatever the filter selects of it": func(s *suite) {
		c := s.collection(index("i", "a"))
		s.insert(c, Doc(1, "a", bson.A{1, 9}), Doc(2, "a", 8), Doc(3, "a", bson.A{0, 8}), Doc(4, "a", 7))
		f := s.filter(bson.D{{Key: "a", Value: bson.D{{Key: "$gte", Value: 8}}}})
		s.inOrder(s.find(c, docdb.Query{Filter: f, Order: index("", "a").Keys}), 3, 1, 2)
		s.inOrder(s.find(c, docdb.Query{Filter: f, Order: index("", "a").Keys, Desc: true}), 1, 3, 2)
	},
	"the order of an index on a dotted path through arrays": func(s *suite) {
		c := s.collection(index("i", "a.b"))
		in := func(values ...any) bson.A {
			var list bson.A
			for _, v := range values {
				list = append(list, bson.D{{Key: "b", Value: v}})
			}
			return list
		}
		s.insert(c, Doc(1, "a", in(5, 3)), Doc(2, "a", in(4)), Doc(3, "a", bson.D{{Key: "b", Value: 1}}), Doc(4, "a", 1), Doc(5, "a", in(bson.A{9, 2})))
		s.ordered2(c, index("", "a.b"), []int{4, 3, 5, 1, 2}, []int{5, 1, 2, 3, 4})
	},
	"the order follows what Replace and Delete change": func(s *suite) {
		c := s.collection(index("i", "a"))
		s.insert(c, Doc(1, "a", bson.A{1, 5}), Doc(2, "a", 2), Doc(3, "a", 3))
		s.must(c.Replace(s.Context(), Value(1), all, Doc(1, "a", bson.A{5, 4})))
		s.ordered(c, index("", "a"), 2, 3, 1)
		s.must(c.Replace(s.Context(), Value(2), all, Doc(2)))
		s.must(c.Delete(s.Context(), Value(3), all))
		s.ordered(c, index("", "a"), 2, 1)
	},
	"every filter gives the same documents in every order": func(s *suite) {
		c := s.collection(index("a", "a"), index("b", "b", "-a"), index("ab", "a.b"))
		docs := s.zoo()
		s.load(c, docs)
		d := func(op string, v any) bson.D { return bson.D{{Key: op, Value: v}} }
		for _, condition := range []any{1, nil, "a", bson.A{}, bson.D{}, d("$ne", nil), d("$gt", 1), d("$lte", "b"), d("$in", bson.A{1, "a", nil}),
			d("$exists", true), d("$exists", false), d("$not", d("$gt", 0)), d("$gte", bson.DateTime(0)), d("$lt", bson.ObjectID{0: 1}), d("$lte", bson.Binary{})} {
			for _, path := range []string{"a", "b", "a.b"} {
				f := s.filter(bson.D{{Key: path, Value: condition}})
				for _, keys := range [][]docdb.Key{nil, index("", "a").Keys, index("", "b", "-a").Keys, index("", "a.b").Keys} {
					q := docdb.Query{Filter: f, Order: keys, Limit: 20}
					s.same(s.find(c, q), Select(docs, q))
					s.failedAt(fmt.Sprintf("%v by %v", f.Document(), keys))
				}
			}
		}
	},
}

// ordered asks for the order of an index, and for its reverse.
func (s *suite) ordered(c docdb.Collection, ix docdb.Index, want ...int) {
	s.Helper()
	back := make([]int, len(want))
	for i, id := range want {
		back[len(want)-1-i] = id
	}
	s.ordered2(c, ix, want, back)
}

func (s *suite) ordered2(c docdb.Collection, ix docdb.Index, want, back []int) {
	s.Helper()
	s.inOrder(s.find(c, docdb.Query{Order: ix.Keys}), want...)
	s.inOrder(s.find(c, docdb.Query{Order: ix.Keys, Desc: true}), back...)
}
