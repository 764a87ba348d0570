// Package indexes has the cases of docdbtest about indexes, unique ones among them, and about the
// sizes that a collection and its indexes report.
package indexes

import (
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
)

// Cases are about CreateIndex, DropIndex, Indexes and CarryIndexes, and about unique indexes.
var Cases = suite.Cases{
	"CreateIndex indexes the documents that are there": func(s *suite.T) {
		c := s.Collection()
		docs := s.MixedDocuments()
		s.Load(c, docs)
		s.Must(c.CreateIndex(s.Context(), suite.Index("i", "a", "-b")))
		q := docdb.Query{Order: suite.Index("", "a", "-b").Keys}
		s.Same(s.Find(c, q), model.Select(docs, q))
		more := bsontest.Doc("more", "a", 2, "b", 2)
		s.Insert(c, more)
		s.Same(s.Find(c, q), model.Select(append(docs, more), q))
	},
	"CarryIndexes gives a collection the indexes of another, and can be repeated": func(s *suite.T) {
		for _, name := range []string{"from", "to"} {
			s.Must(s.DB.Create(s.Context(), name))
		}
		from, to := s.DB.Collection("from"), s.DB.Collection("to")
		s.Must(s.DB.CarryIndexes(s.Context(), "from", "to")) // none
		s.HasIndexes(to)
		want := []docdb.Index{suite.Index("i", "a", "-b"), suite.Unique("u", "c")}
		for _, ix := range want {
			s.Must(from.CreateIndex(s.Context(), ix))
		}
		s.Must(s.DB.CarryIndexes(s.Context(), "from", "to"))
		s.Must(s.DB.CarryIndexes(s.Context(), "from", "to"))
		s.HasIndexes(to, want...)
		s.Insert(to, bsontest.Doc(1, "c", 1))
		s.Duplicates(to.Insert(s.Context(), bsontest.Doc(2, "c", 1)), "u")
		s.Insert(from, bsontest.Doc(2, "c", 1))
		s.Fails(s.DB.CarryIndexes(s.Context(), "from", "nowhere"), docdb.ErrNoCollection)
		s.Lists("", "from", "to")
	},
	"CreateIndex of the same index again succeeds": func(s *suite.T) {
		c := s.Collection(suite.Unique("u", "a", "-b"))
		s.Insert(c, bsontest.Doc(1))
		s.Must(c.CreateIndex(s.Context(), suite.Unique("u", "a", "-b")))
		s.HasIndexes(c, suite.Unique("u", "a", "-b"))
	},
	"CreateIndex of a name with other keys or uniqueness, or of keys with an index, is ErrExists and changes nothing": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a", "b"), suite.Unique("u", "c"))
		for _, ix := range []docdb.Index{suite.Index("i", "a"), suite.Index("i", "b", "a"), suite.Index("i", "a", "-b"), suite.Index("i", "a", "b", "c"),
			suite.Unique("i", "a", "b"),
			suite.Index("u", "c"), suite.Index("other", "a", "b"), suite.Unique("other", "a", "b"), suite.Index("other", "c"), suite.Unique("other", "c")} {
			s.Fails(c.CreateIndex(s.Context(), ix), docdb.ErrExists)
			s.StopIfFailed(fmt.Sprintf("%+v", ix))
		}
		s.HasIndexes(c, suite.Index("i", "a", "b"), suite.Unique("u", "c"))
	},
	"CreateIndex of a unique index that the documents violate is a DuplicateError and changes nothing": func(s *suite.T) {
		c := s.Collection()
		s.Insert(c, bsontest.Doc(1, "a", 1), bsontest.Doc(2, "a", 2), bsontest.Doc(3, "a", bson.A{3, 1.0}))
		s.Duplicates(c.CreateIndex(s.Context(), suite.Unique("u", "a")), "u")
		s.HasIndexes(c)
		_, err := suite.Collect(s.Context(), c, docdb.Query{Order: suite.Index("", "a").Keys})
		s.Fails(err, docdb.ErrNoIndex)
		s.Insert(c, bsontest.Doc(4, "a", 1))
		for _, id := range []int{3, 4} {
			s.Must(c.Delete(s.Context(), bsontest.Value(id), suite.All))
		}
		s.Must(c.CreateIndex(s.Context(), suite.Unique("u", "a")))
		s.HasIndexes(c, suite.Unique("u", "a"))
		s.Duplicates(c.Insert(s.Context(), bsontest.Doc(5, "a", 2)), "u")
	},
	"CreateIndex over documents that have arrays at two of its paths is ErrInvalid and changes nothing": func(s *suite.T) {
		c := s.Collection()
		s.Insert(c, bsontest.Doc(1, "a", 1, "b", bson.A{1}), bsontest.Doc(2, "a", bson.A{1}, "b", bson.A{}))
		s.Fails(c.CreateIndex(s.Context(), suite.Index("i", "a", "b")), docdb.ErrInvalid)
		s.HasIndexes(c)
		s.Must(c.Delete(s.Context(), bsontest.Value(2), suite.All))
		s.Must(c.CreateIndex(s.Context(), suite.Index("i", "a", "b")))
	},
	"CreateIndex of an index that breaks a rule is ErrInvalid": func(s *suite.T) {
		c := s.Collection()
		var many []string
		for i := range docdb.MaxIndexKeys + 1 {
			many = append(many, fmt.Sprint("a", i))
		}
		for _, ix := range []docdb.Index{suite.Index("", "a"), suite.Index("a.b", "a"), suite.Index("a b", "a"), suite.Index(strings.Repeat("a", 65), "a"),
			suite.Index(docdb.IDIndex, "a"),
			suite.Index("i"), suite.Index("i", "_id"), suite.Index("i", "a", "_id"), suite.Index("i", "a", "-a"), suite.Index("i", ""),
			suite.Index("i", "a..b"), suite.Index("i", ".a"), suite.Index("i", "$a"), suite.Index("i", "a.$b"), suite.Index("i", many...)} {
			s.Fails(c.CreateIndex(s.Context(), ix), docdb.ErrInvalid)
			s.StopIfFailed(fmt.Sprintf("%+v", ix))
		}
		s.HasIndexes(c)
		s.Must(c.CreateIndex(s.Context(), suite.Index("i", many[1:]...)))
	},
	"a collection may have 63 indexes, one more is ErrInvalid": func(s *suite.T) {
		c := s.Collection()
		for i := range docdb.MaxIndexes {
			s.Must(c.CreateIndex(s.Context(), suite.Index(fmt.Sprint("i", i), fmt.Sprint("a", i))))
		}
		s.Fails(c.CreateIndex(s.Context(), suite.Index("more", "more")), docdb.ErrInvalid)
		list, err := c.Indexes(s.Context())
		s.Must(err)
		if len(list) != docdb.MaxIndexes {
			s.Errorf("there are %d indexes", len(list))
		}
		s.Insert(c, bsontest.Doc(1, "a0", 1, "a62", 2))
		s.InOrder(s.Find(c, docdb.Query{Order: suite.Index("", "a62").Keys}), 1)
	},
	"DropIndex removes an index, its order and its uniqueness": func(s *suite.T) {
		c := s.Collection(suite.Unique("u", "a"), suite.Index("i", "b"))
		s.Insert(c, bsontest.Doc(1, "a", 1))
		s.Must(c.DropIndex(s.Context(), "u"))
		s.HasIndexes(c, suite.Index("i", "b"))
		s.Insert(c, bsontest.Doc(2, "a", 1))
		_, err := suite.Collect(s.Context(), c, docdb.Query{Order: suite.Index("", "a").Keys})
		s.Fails(err, docdb.ErrNoIndex)
		s.InOrder(s.Find(c, docdb.Query{Order: suite.Index("", "b").Keys}), 1, 2)
		s.Must(c.CreateIndex(s.Context(), suite.Index("u", "a", "b"))) // the name is free, and nothing of the old index is left
		s.InOrder(s.Find(c, docdb.Query{Order: suite.Index("", "a", "b").Keys}), 1, 2)
	},
	"DropIndex of an index that is not there, or of the index on _id, is ErrNotFound": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"))
		for _, name := range []string{"j", "a", "*", docdb.IDIndex} {
			s.Fails(c.DropIndex(s.Context(), name), docdb.ErrNotFound)
			s.StopIfFailed(name)
		}
		s.HasIndexes(c, suite.Index("i", "a"))
	},
	"Indexes lists the indexes in the order of their names, without that on _id": func(s *suite.T) {
		c := s.Collection(suite.Index("b", "a"), suite.Unique("a-", "x.y", "-z"), suite.Index("B", "-a"), suite.Index("a_", "q"))
		s.HasIndexes(c, suite.Index("B", "-a"), suite.Unique("a-", "x.y", "-z"), suite.Index("a_", "q"), suite.Index("b", "a"))
	},
	"a unique index admits one document without its path": func(s *suite.T) {
		c := s.Collection(suite.Unique("u", "a"))
		s.Insert(c, bsontest.Doc(1))
		takes(s, c, bsontest.Doc(2, "a", nil), bsontest.Doc(3), bsontest.Doc(4, "a", bson.A{1, nil}))
		s.Insert(c, bsontest.Doc(5, "a", bson.A{}), bsontest.Doc(6, "a", false))
	},
	"a unique index admits one empty array, which is undefined there": func(s *suite.T) {
		c := s.Collection(suite.Unique("u", "a"))
		s.Insert(c, bsontest.Doc(1, "a", bson.A{}))
		takes(s, c, bsontest.Doc(2, "a", bson.A{}), bsontest.Doc(3, "a", bson.Undefined{}))
		s.Insert(c, bsontest.Doc(4, "a", bson.A{bson.A{}}), bsontest.Doc(5))
	},
	"a unique index admits an element twice in one document, never in two": func(s *suite.T) {
		c := s.Collection(suite.Unique("u", "a"))
		s.Insert(c, bsontest.Doc(1, "a", bson.A{1, 2, 1, 1.0}))
		takes(s, c, bsontest.Doc(2, "a", 1), bsontest.Doc(2, "a", 2.0), bsontest.Doc(2, "a", bson.A{3, 2}))
		s.Insert(c, bsontest.Doc(2, "a", bson.A{3, bson.A{1, 2}}))
		takes(s, c, bsontest.Doc(3, "a", bson.A{bson.A{1, 2.0}}), bsontest.Doc(3, "a", 3))
	},
	"a unique index compares values as Compare does": func(s *suite.T) {
		c := s.Collection(suite.Unique("u", "a"))
		one, _ := bson.ParseDecimal128("1.00")
		s.Insert(c, bsontest.Doc(1, "a", 1), bsontest.Doc(2, "a", "1"), bsontest.Doc(3, "a", true),
			bsontest.Doc(4, "a", bson.D{{Key: "b", Value: 1}, {Key: "c", Value: 2}}))
		takes(s, c, bsontest.Doc(5, "a", 1.0), bsontest.Doc(5, "a", int64(1)), bsontest.Doc(5, "a", one),
			bsontest.Doc(5, "a", bson.D{{Key: "b", Value: 1.0}, {Key: "c", Value: int64(2)}}))
		s.Insert(c, bsontest.Doc(5, "a", bson.D{{Key: "c", Value: 2}, {Key: "b", Value: 1}}), bsontest.Doc(6, "a", int64(1<<53)),
			bsontest.Doc(7, "a", int64(1<<53+1)), bsontest.Doc(8, "a", "A"), bsontest.Doc(9, "a", "a"))
	},
	"a unique index follows a dotted path into the documents of an array": func(s *suite.T) {
		c := s.Collection(suite.Unique("u", "a.b"))
		s.Insert(c, bsontest.Doc(1, "a", bson.A{bson.D{{Key: "b", Value: 1}}, bson.D{{Key: "b", Value: bson.A{2, 3}}}}))
		takes(s, c, bsontest.Doc(2, "a", bson.D{{Key: "b", Value: 1}}), bsontest.Doc(2, "a", bson.A{bson.D{{Key: "b", Value: 3}}}))
		s.Insert(c, bsontest.Doc(2, "a", bson.A{4}))
		takes(s, c, bsontest.Doc(3), bsontest.Doc(3, "a", bson.A{}), bsontest.Doc(3, "a", 1))
	},
	"a unique index on several paths admits all that differ in one": func(s *suite.T) {
		c := s.Collection(suite.Unique("u", "a", "b"))
		s.Insert(c, bsontest.Doc(1, "a", 1, "b", 1), bsontest.Doc(2, "a", 1, "b", 2), bsontest.Doc(3, "a", 1), bsontest.Doc(4))
		takes(s, c, bsontest.Doc(5, "a", 1.0, "b", 2.0), bsontest.Doc(5, "a", 1, "b", nil), bsontest.Doc(5, "b", nil), bsontest.Doc(5, "a", bson.A{7, 1}, "b", 2))
		s.Insert(c, bsontest.Doc(5, "a", 2, "b", 1), bsontest.Doc(6, "b", 1), bsontest.Doc(7, "a", bson.A{7, 8}, "b", 2))
		takes(s, c, bsontest.Doc(8, "a", 8, "b", bson.A{3, 2}))
	},
	"a document with arrays at two paths of one index is ErrInvalid and changes nothing": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a", "b"))
		s.Insert(c, bsontest.Doc(1, "a", 1, "b", 1))
		for _, b := range []bson.A{{1}, {}} {
			s.Fails(c.Insert(s.Context(), bsontest.Doc(2, "a", bson.A{1, 2}, "b", b)), docdb.ErrInvalid)
			s.Fails(c.Replace(s.Context(), bsontest.Value(1), suite.All, bsontest.Doc(1, "a", bson.A{}, "b", b)), docdb.ErrInvalid)
		}
		s.Holds(c, bsontest.Doc(1, "a", 1, "b", 1))
		s.Insert(c, bsontest.Doc(2, "a", bson.A{1, 2}, "b", 1), bsontest.Doc(3, "a", 1, "b", bson.A{1, 2}))
	},
	"a document of more keys than indexes may hold is refused with an IndexKeyError and changes nothing": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"), suite.Index("j", "a", "b"))
		most := make(bson.A, docdb.MaxIndexEntries/2)
		for i := range most {
			most[i] = i
		}
		s.Insert(c, bsontest.Doc(1, "a", most), bsontest.Doc(2))
		more := append(most, "more")
		refused := func(err error, name string) {
			s.Helper()
			s.Fails(err, docdb.ErrInvalid)
			if got := (*docdb.IndexKeyError)(nil); !errors.As(err, &got) || got.Index != name || got.Path != "a" {
				s.Errorf("got error %v, want an *IndexKeyError that names the index %q and the path a", err, name)
			}
		}
		refused(c.Insert(s.Context(), bsontest.Doc(3, "a", more)), "j")
		refused(c.Replace(s.Context(), bsontest.Value(2), suite.All, bsontest.Doc(2, "a", more)), "j")
		errs, err := c.InsertMany(s.Context(), []bson.Raw{bsontest.Doc(3, "a", more), bsontest.Doc(4)})
		s.Must(err)
		refused(errs[0], "j")
		s.Must(errs[1])
		refused(c.CreateIndex(s.Context(), suite.Index("k", "a", "c")), "k")
		s.HasIndexes(c, suite.Index("i", "a"), suite.Index("j", "a", "b"))
		s.Holds(c, bsontest.Doc(1, "a", most), bsontest.Doc(2), bsontest.Doc(4))
	},
	"an index on paths into one array holds its documents' pairs": func(s *suite.T) {
		c := s.Collection(suite.Unique("u", "a.b", "a.c"))
		pair := func(b, c any) bson.D { return bson.D{{Key: "b", Value: b}, {Key: "c", Value: c}} }
		s.Insert(c, bsontest.Doc(1, "a", bson.A{pair(1, 2), pair(2, 1)}), bsontest.Doc(2, "a", bson.A{pair(1, 1)}))
		takes(s, c, bsontest.Doc(3, "a", pair(2, 1)))
		s.Fails(c.Insert(s.Context(), bsontest.Doc(3, "a", bson.A{pair(bson.A{1}, bson.A{1})})), docdb.ErrInvalid)
		s.InOrder(s.Find(c, docdb.Query{Order: suite.Index("", "a.b", "a.c").Keys}), 2, 1)
	},
}

// takes asserts that the key of each document is taken in the index u.
func takes(s *suite.T, c docdb.Collection, docs ...bson.Raw) {
	s.Helper()
	for _, doc := range docs {
		s.Duplicates(c.Insert(s.Context(), doc), "u")
		s.StopIfFailed(doc.String())
	}
}
