package docdbtest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// indexCases are the sentences on CreateIndex, DropIndex and Indexes, and on
// Index where it is unique.
var indexCases = map[string]func(*suite){
	"CreateIndex indexes what is there": func(s *suite) {
		c := s.collection()
		docs := s.zoo()
		s.load(c, docs)
		s.must(c.CreateIndex(s.Context(), index("i", "a", "-b")))
		q := docdb.Query{Order: index("", "a", "-b").Keys}
		s.same(s.find(c, q), Select(docs, q))
		more := Doc("more", "a", 2, "b", 2)
		s.insert(c, more)
		s.same(s.find(c, q), Select(append(docs, more), q))
	},
	"CarryIndexes gives a collection the indexes of another, and can be repeated": func(s *suite) {
		for _, name := range []string{"from", "to"} {
			s.must(s.db.Create(s.Context(), name))
		}
		from, to := s.db.Collection("from"), s.db.Collection("to")
		s.must(s.db.CarryIndexes(s.Context(), "from", "to")) // none
		s.indexes(to)
		want := []docdb.Index{index("i", "a", "-b"), unique("u", "c")}
		for _, ix := range want {
			s.must(from.CreateIndex(s.Context(), ix))
		}
		s.must(s.db.CarryIndexes(s.Context(), "from", "to"))
		s.must(s.db.CarryIndexes(s.Context(), "from", "to"))
		s.indexes(to, want...)
		s.insert(to, Doc(1, "c", 1))
		s.duplicates(to.Insert(s.Context(), Doc(2, "c", 1)), "u")
		s.insert(from, Doc(2, "c", 1))
		s.fails(s.db.CarryIndexes(s.Context(), "from", "nowhere"), docdb.ErrNoCollection)
		s.lists("", "from", "to")
	},
	"CreateIndex of the same index again succeeds": func(s *suite) {
		c := s.collection(unique("u", "a", "-b"))
		s.insert(c, Doc(1))
		s.must(c.CreateIndex(s.Context(), unique("u", "a", "-b")))
		s.indexes(c, unique("u", "a", "-b"))
	},
	"CreateIndex of a name with other keys or uniqueness, or of keys with an index, is ErrExists and changes nothing": func(s *suite) {
		c := s.collection(index("i", "a", "b"), unique("u", "c"))
		for _, ix := range []docdb.Index{index("i", "a"), index("i", "b", "a"), index("i", "a", "-b"), index("i", "a", "b", "c"), unique("i", "a", "b"),
			index("u", "c"), index("other", "a", "b"), unique("other", "a", "b"), index("other", "c"), unique("other", "c")} {
			s.fails(c.CreateIndex(s.Context(), ix), docdb.ErrExists)
			s.failedAt(fmt.Sprintf("%+v", ix))
		}
		s.indexes(c, index("i", "a", "b"), unique("u", "c"))
	},
	"CreateIndex of a unique index that what is there violates is a DuplicateError and changes nothing": func(s *suite) {
		c := s.collection()
		s.insert(c, Doc(1, "a", 1), Doc(2, "a", 2), Doc(3, "a", bson.A{3, 1.0}))
		s.duplicates(c.CreateIndex(s.Context(), unique("u", "a")), "u")
		s.indexes(c)
		_, err := collect(s.Context(), c, docdb.Query{Order: index("", "a").Keys})
		s.fails(err, docdb.ErrNoIndex)
		s.insert(c, Doc(4, "a", 1))
		for _, id := range []int{3, 4} {
			s.must(c.Delete(s.Context(), Value(id), all))
		}
		s.must(c.CreateIndex(s.Context(), unique("u", "a")))
		s.indexes(c, unique("u", "a"))
		s.duplicates(c.Insert(s.Context(), Doc(5, "a", 2)), "u")
	},
	"CreateIndex over documents that have arrays at two of its paths is ErrInvalid and changes nothing": func(s *suite) {
		c := s.collection()
		s.insert(c, Doc(1, "a", 1, "b", bson.A{1}), Doc(2, "a", bson.A{1}, "b", bson.A{}))
		s.fails(c.CreateIndex(s.Context(), index("i", "a", "b")), docdb.ErrInvalid)
		s.indexes(c)
		s.must(c.Delete(s.Context(), Value(2), all))
		s.must(c.CreateIndex(s.Context(), index("i", "a", "b")))
	},
	"CreateIndex of an index that breaks a rule is ErrInvalid": func(s *suite) {
		c := s.collection()
		var many []string
		for i := range docdb.MaxIndexKeys + 1 {
			many = append(many, fmt.Sprint("a", i))
		}
		for _, ix := range []docdb.Index{index("", "a"), index("a.b", "a"), index("a b", "a"), index(strings.Repeat("a", 65), "a"), index(docdb.IDIndex, "a"),
			index("i"), index("i", "_id"), index("i", "a", "_id"), index("i", "a", "-a"), index("i", ""), index("i", "a..b"), index("i", ".a"), index("i", "$a"), index("i", "a.$b"), index("i", many...)} {
			s.fails(c.CreateIndex(s.Context(), ix), docdb.ErrInvalid)
			s.failedAt(fmt.Sprintf("%+v", ix))
		}
		s.indexes(c)
		s.must(c.CreateIndex(s.Context(), index("i", many[1:]...)))
	},
	"a collection may have 63 indexes, one more is ErrInvalid": func(s *suite) {
		c := s.collection()
		for i := range docdb.MaxIndexes {
			s.must(c.CreateIndex(s.Context(), index(fmt.Sprint("i", i), fmt.Sprint("a", i))))
		}
		s.fails(c.CreateIndex(s.Context(), index("more", "more")), docdb.ErrInvalid)
		list, err := c.Indexes(s.Context())
		s.must(err)
		if len(list) != docdb.MaxIndexes {
			s.Errorf("there are %d indexes", len(list))
		}
		s.insert(c, Doc(1, "a0", 1, "a62", 2))
		s.inOrder(s.find(c, docdb.Query{Order: index("", "a62").Keys}), 1)
	},
	"DropIndex removes an index, its order and its uniqueness": func(s *suite) {
		c := s.collection(unique("u", "a"), index("i", "b"))
		s.insert(c, Doc(1, "a", 1))
		s.must(c.DropIndex(s.Context(), "u"))
		s.indexes(c, index("i", "b"))
		s.insert(c, Doc(2, "a", 1))
		_, err := collect(s.Context(), c, docdb.Query{Order: index("", "a").Keys})
		s.fails(err, docdb.ErrNoIndex)
		s.inOrder(s.find(c, docdb.Query{Order: index("", "b").Keys}), 1, 2)
		s.must(c.CreateIndex(s.Context(), index("u", "a", "b"))) // the name is free, and nothing of the old is left
		s.inOrder(s.find(c, docdb.Query{Order: index("", "a", "b").Keys}), 1, 2)
	},
	"DropIndex of what is not there, or of the index on _id, is ErrNotFound": func(s *suite) {
		c := s.collection(index("i", "a"))
		for _, name := range []string{"j", "a", "*", docdb.IDIndex} {
			s.fails(c.DropIndex(s.Context(), name), docdb.ErrNotFound)
			s.failedAt(name)
		}
		s.indexes(c, index("i", "a"))
	},
	"Indexes lists the indexes in the order of their names, without that on _id": func(s *suite) {
		c := s.collection(index("b", "a"), unique("a-", "x.y", "-z"), index("B", "-a"), index("a_", "q"))
		s.indexes(c, index("B", "-a"), unique("a-", "x.y", "-z"), index("a_", "q"), index("b", "a"))
	},
	"a unique index admits one document without its path": func(s *suite) {
		c := s.collection(unique("u", "a"))
		s.insert(c, Doc(1))
		s.takes(c, Doc(2, "a", nil), Doc(3), Doc(4, "a", bson.A{1, nil}))
		s.insert(c, Doc(5, "a", bson.A{}), Doc(6, "a", false))
	},
	"a unique index admits one empty array, which is undefined there": func(s *suite) {
		c := s.collection(unique("u", "a"))
		s.insert(c, Doc(1, "a", bson.A{}))
		s.takes(c, Doc(2, "a", bson.A{}), Doc(3, "a", bson.Undefined{}))
		s.insert(c, Doc(4, "a", bson.A{bson.A{}}), Doc(5))
	},
	"a unique index admits an element twice in one document, never in two": func(s *suite) {
		c := s.collection(unique("u", "a"))
		s.insert(c, Doc(1, "a", bson.A{1, 2, 1, 1.0}))
		s.takes(c, Doc(2, "a", 1), Doc(2, "a", 2.0), Doc(2, "a", bson.A{3, 2}))
		s.insert(c, Doc(2, "a", bson.A{3, bson.A{1, 2}}))
		s.takes(c, Doc(3, "a", bson.A{bson.A{1, 2.0}}), Doc(3, "a", 3))
	},
	"a unique index compares values as Compare does": func(s *suite) {
		c := s.collection(unique("u", "a"))
		one, _ := bson.ParseDecimal128("1.00")
		s.insert(c, Doc(1, "a", 1), Doc(2, "a", "1"), Doc(3, "a", true), Doc(4, "a", bson.D{{Key: "b", Value: 1}, {Key: "c", Value: 2}}))
		s.takes(c, Doc(5, "a", 1.0), Doc(5, "a", int64(1)), Doc(5, "a", one), Doc(5, "a", bson.D{{Key: "b", Value: 1.0}, {Key: "c", Value: int64(2)}}))
		s.insert(c, Doc(5, "a", bson.D{{Key: "c", Value: 2}, {Key: "b", Value: 1}}), Doc(6, "a", int64(1<<53)), Doc(7, "a", int64(1<<53+1)), Doc(8, "a", "A"), Doc(9, "a", "a"))
	},
	"a unique index follows a dotted path into the documents of an array": func(s *suite) {
		c := s.collection(unique("u", "a.b"))
		s.insert(c, Doc(1, "a", bson.A{bson.D{{Key: "b", Value: 1}}, bson.D{{Key: "b", Value: bson.A{2, 3}}}}))
		s.takes(c, Doc(2, "a", bson.D{{Key: "b", Value: 1}}), Doc(2, "a", bson.A{bson.D{{Key: "b", Value: 3}}}))
		s.insert(c, Doc(2, "a", bson.A{4}))
		s.takes(c, Doc(3), Doc(3, "a", bson.A{}), Doc(3, "a", 1))
	},
	"a unique index on several paths admits all that differ in one": func(s *suite) {
		c := s.collection(unique("u", "a", "b"))
		s.insert(c, Doc(1, "a", 1, "b", 1), Doc(2, "a", 1, "b", 2), Doc(3, "a", 1), Doc(4))
		s.takes(c, Doc(5, "a", 1.0, "b", 2.0), Doc(5, "a", 1, "b", nil), Doc(5, "b", nil), Doc(5, "a", bson.A{7, 1}, "b", 2))
		s.insert(c, Doc(5, "a", 2, "b", 1), Doc(6, "b", 1), Doc(7, "a", bson.A{7, 8}, "b", 2))
		s.takes(c, Doc(8, "a", 8, "b", bson.A{3, 2}))
	},
	"a document with arrays at two paths of one index is ErrInvalid and changes nothing": func(s *suite) {
		c := s.collection(index("i", "a", "b"))
		s.insert(c, Doc(1, "a", 1, "b", 1))
		for _, b := range []bson.A{{1}, {}} {
			s.fails(c.Insert(s.Context(), Doc(2, "a", bson.A{1, 2}, "b", b)), docdb.ErrInvalid)
			s.fails(c.Replace(s.Context(), Value(1), all, Doc(1, "a", bson.A{}, "b", b)), docdb.ErrInvalid)
		}
		s.holds(c, Doc(1, "a", 1, "b", 1))
		s.insert(c, Doc(2, "a", bson.A{1, 2}, "b", 1), Doc(3, "a", 1, "b", bson.A{1, 2}))
	},
	"a document of more keys than indexes may hold is refused with an IndexKeyError and changes nothing": func(s *suite) {
		c := s.collection(index("i", "a"), index("j", "a", "b"))
		most := make(bson.A, docdb.MaxIndexEntries/2)
		for i := range most {
			most[i] = i
		}
		s.insert(c, Doc(1, "a", most), Doc(2))
		more := append(most, "more")
		refused := func(err error, name string) {
			s.Helper()
			s.fails(err, docdb.ErrInvalid)
			if got := (*docdb.IndexKeyError)(nil); !errors.As(err, &got) || got.Index != name || got.Path != "a" {
				s.Errorf("got error %v, want an *IndexKeyError that names the index %q and the path a", err, name)
			}
		}
		refused(c.Insert(s.Context(), Doc(3, "a", more)), "j")
		refused(c.Replace(s.Context(), Value(2), all, Doc(2, "a", more)), "j")
		errs, err := c.InsertMany(s.Context(), []bson.Raw{Doc(3, "a", more), Doc(4)})
		s.must(err)
		refused(errs[0], "j")
		s.must(errs[1])
		refused(c.CreateIndex(s.Context(), index("k", "a", "c")), "k")
		s.indexes(c, index("i", "a"), index("j", "a", "b"))
		s.holds(c, Doc(1, "a", most), Doc(2), Doc(4))
	},
	"an index on paths into one array holds its documents' pairs": func(s *suite) {
		c := s.collection(unique("u", "a.b", "a.c"))
		pair := func(b, c any) bson.D { return bson.D{{Key: "b", Value: b}, {Key: "c", Value: c}} }
		s.insert(c, Doc(1, "a", bson.A{pair(1, 2), pair(2, 1)}), Doc(2, "a", bson.A{pair(1, 1)}))
		s.takes(c, Doc(3, "a", pair(2, 1)))
		s.fails(c.Insert(s.Context(), Doc(3, "a", bson.A{pair(bson.A{1}, bson.A{1})})), docdb.ErrInvalid)
		s.inOrder(s.find(c, docdb.Query{Order: index("", "a.b", "a.c").Keys}), 2, 1)
	},
}

// indexes asks that the collection has these indexes, in this order.
func (s *suite) indexes(c docdb.Collection, want ...docdb.Index) {
	s.Helper()
	got, err := c.Indexes(s.Context())
	s.must(err)
	if diff := cmp.Diff(append([]docdb.Index{}, want...), append([]docdb.Index{}, got...)); diff != "" {
		s.Errorf("indexes (-want +got):\n%s", diff)
	}
}

// takes asks that the key of each document is taken in the index u.
func (s *suite) takes(c docdb.Collection, docs ...bson.Raw) {
	s.Helper()
	for _, doc := range docs {
		s.duplicates(c.Insert(s.Context(), doc), "u")
		s.failedAt(doc.String())
	}
}
