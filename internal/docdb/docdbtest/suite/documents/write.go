package documents

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
)

// Writes are about Insert, InsertMany, Get, Replace and Delete.
var Writes = suite.Cases{
	"Insert adds a document, which a read that begins after it sees": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"))
		for i := range 20 {
			s.Insert(c, bsontest.Doc(i, "a", i))
			_, err := c.Get(s.Context(), bsontest.Value(i))
			s.Must(err)
			s.InOrder(s.Find(c, docdb.Query{Order: suite.Index("", "a").Keys, Desc: true, Limit: 1}), i)
			if n, err := c.Count(s.Context(), suite.All); err != nil || n != int64(i+1) {
				s.Fatalf("Count: %d, %v, want %d", n, err, i+1)
			}
		}
	},
	"Insert of an _id that is taken is a DuplicateError that names _id_, and changes nothing": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"))
		s.Insert(c, bsontest.Doc(1, "a", 1))
		s.Duplicates(c.Insert(s.Context(), bsontest.Doc(1, "a", 2)), docdb.IDIndex)
		s.Holds(c, bsontest.Doc(1, "a", 1))
		s.InOrder(s.Find(c, docdb.Query{Filter: suite.When("a", 2), Order: suite.Index("", "a").Keys}))
	},
	"Insert of a unique key that is taken is a DuplicateError that names the index, and changes nothing": func(s *suite.T) {
		c := s.Collection(suite.Unique("first", "a"), suite.Unique("second", "b"))
		s.Insert(c, bsontest.Doc(1, "a", 1, "b", 1))
		s.Duplicates(c.Insert(s.Context(), bsontest.Doc(2, "a", 1, "b", 2)), "first")
		s.Duplicates(c.Insert(s.Context(), bsontest.Doc(2, "a", 2, "b", 1)), "second")
		s.Holds(c, bsontest.Doc(1, "a", 1, "b", 1))
		// The refused documents have taken no key in any index.
		s.Insert(c, bsontest.Doc(2, "a", 2, "b", 2))
		s.InOrder(s.Find(c, docdb.Query{Order: suite.Index("", "b").Keys}), 1, 2)
	},
	"InsertMany adds documents, and answers by position which were not added":                  insertManyCase,
	"InsertMany of the same documents again answers that they are there":                       insertManyAgainCase,
	"InsertMany of one _id or unique key twice adds one of the two":                            insertManyTwiceCase,
	"InsertMany takes 1000 documents, and none":                                                insertManyCountCase,
	"InsertMany of over 1000 documents or 48 MiB is ErrTooLarge":                               insertManyLimitCase,
	"InsertMany of 48 MiB in few documents is accepted":                                        insertManyLargeCase,
	"Get returns the document with that _id, or ErrNotFound":                                   getCase,
	"Replace puts a document in the place of the one with that _id":                            replaceCase,
	"Replace of a document that is not there is ErrNoMatch, and adds nothing":                  replaceMissingCase,
	"Replace whose condition does not hold is ErrNoMatch, and changes nothing":                 replaceWhenCase,
	"Replace by a document with another _id is ErrInvalid, and changes nothing":                replaceOtherIDCase,
	"Replace by a document whose unique key is taken is a DuplicateError":                      replaceDuplicateCase,
	"Replace frees the unique key that the document had, and may keep it":                      replaceFreesCase,
	"Delete removes the document with that _id, and frees its keys":                            deleteCase,
	"Delete of a document that is not there, or is another, is ErrNoMatch":                     deleteMissingCase,
	"a condition is any filter: operators, paths, arrays, a value that looks like an operator": conditionCase,
}

func insertManyCase(s *suite.T) {
	c := s.Collection(suite.Unique("u", "a"), suite.Index("i", "x", "y"))
	s.Insert(c, bsontest.Doc(1, "a", 1))
	docs := []bson.Raw{
		bsontest.Doc(2, "a", 2),
		bsontest.Doc(1, "a", 3),                                 // the _id is taken
		bsontest.Doc(4, "a", 1),                                 // the unique key is taken
		bsontest.Doc(5, "a", 5, "x", bson.A{1}, "y", bson.A{1}), // two arrays in an index
		bsontest.Doc(6, "$a", 6),
		bsontest.Raw(bson.D{}),
		bsontest.Sized(7, docdb.MaxDocumentSize+1),
		bsontest.Doc(8, "a", 8),
	}
	errs, err := c.InsertMany(s.Context(), docs)
	s.Must(err)
	if len(errs) != len(docs) {
		s.Fatalf("got %d errors for %d documents", len(errs), len(docs))
	}
	s.Fails(errs[0], nil)
	s.Duplicates(errs[1], docdb.IDIndex)
	s.Duplicates(errs[2], "u")
	s.Fails(errs[3], docdb.ErrInvalid)
	s.Fails(errs[4], docdb.ErrInvalid)
	s.Fails(errs[5], docdb.ErrInvalid)
	s.Fails(errs[6], docdb.ErrTooLarge)
	s.Fails(errs[7], nil)
	s.Holds(c, bsontest.Doc(1, "a", 1), docs[0], docs[7])
}

func insertManyAgainCase(s *suite.T) {
	c := s.Collection(suite.Unique("u", "a"))
	docs := suite.Numbered(300, func(i int) []any { return []any{"a", i} })
	s.Insert(c, docs[7], docs[299])
	for want := range 2 {
		errs, err := c.InsertMany(s.Context(), docs)
		s.Must(err)
		for i, err := range errs {
			if want == 0 && i != 7 && i != 299 {
				s.Must(err)
			} else {
				s.Fails(err, docdb.ErrDuplicate)
			}
		}
	}
	s.Holds(c, docs...)
}

func insertManyTwiceCase(s *suite.T) {
	c := s.Collection(suite.Unique("u", "a"))
	errs, err := c.InsertMany(s.Context(), []bson.Raw{bsontest.Doc(1, "a", 1), bsontest.Doc(1, "a", 2), bsontest.Doc(3, "a", 3), bsontest.Doc(4, "a", 3)})
	s.Must(err)
	first, second := s.OneWins(errs[:2], docdb.ErrDuplicate), s.OneWins(errs[2:], docdb.ErrDuplicate)
	s.Holds(c, bsontest.Doc(1, "a", 1+first), bsontest.Doc(3+second, "a", 3))
}

func insertManyCountCase(s *suite.T) {
	c := s.Collection()
	errs, err := c.InsertMany(s.Context(), nil)
	if err != nil || len(errs) != 0 {
		s.Errorf("none: got %v, %v", errs, err)
	}
	s.IsEmpty(c)
	docs := suite.Numbered(1000, func(int) []any { return nil })
	s.Load(c, docs)
	s.Holds(c, docs...)
}

func insertManyLimitCase(s *suite.T) {
	c := s.Collection()
	_, err := c.InsertMany(s.Context(), suite.Numbered(1001, func(int) []any { return nil }))
	s.Fails(err, docdb.ErrTooLarge)
	var docs []bson.Raw
	for i := range 4 {
		docs = append(docs, bsontest.Sized(i, 12<<20))
	}
	docs[0] = bsontest.Sized(0, 12<<20+1)
	_, err = c.InsertMany(s.Context(), docs)
	s.Fails(err, docdb.ErrTooLarge)
}

func insertManyLargeCase(s *suite.T) {
	c := s.Collection()
	var docs []bson.Raw
	for i := range 3 {
		docs = append(docs, bsontest.Sized(i, docdb.MaxDocumentSize))
	}
	s.Load(c, docs)
	s.Holds(c, docs...)
}

func getCase(s *suite.T) {
	c := s.Collection()
	s.Insert(c, bsontest.Doc("a", "x", 1), bsontest.Doc("ab", "x", 2), bsontest.Doc(nil, "x", 3))
	for id, want := range map[any]bson.Raw{"a": bsontest.Doc("a", "x", 1), "ab": bsontest.Doc("ab", "x", 2), nil: bsontest.Doc(nil, "x", 3)} {
		got, err := c.Get(s.Context(), bsontest.Value(id))
		s.Must(err)
		s.Same([]bson.Raw{got}, []bson.Raw{want})
	}
	for _, id := range []any{"b", "", "A", int32(1), false, bson.D{}, bson.D{{Key: "$gt", Value: ""}}, bson.D{{Key: "$exists", Value: true}}} {
		got, err := c.Get(s.Context(), bsontest.Value(id))
		s.Fails(err, docdb.ErrNotFound)
		if got != nil {
			s.Errorf("%v: got %v beside the error", id, got)
		}
	}
}

func replaceCase(s *suite.T) {
	c := s.Collection(suite.Index("i", "a"))
	s.Insert(c, bsontest.Doc(1, "a", 1, "b", 1), bsontest.Doc(2, "a", 2))
	s.Must(c.Replace(s.Context(), bsontest.Value(1), suite.All, bsontest.Doc(1, "a", 3)))
	s.Holds(c, bsontest.Doc(1, "a", 3), bsontest.Doc(2, "a", 2))
	s.Must(c.Replace(s.Context(), bsontest.Value(1), suite.When("a", 3), bsontest.Doc(1, "a", 4, "c", 1)))
	s.Must(c.Replace(s.Context(), bsontest.Value(1), suite.When("a", 4), bsontest.Doc(1, "a", 4, "c", 1))) // by an equal document
	s.Holds(c, bsontest.Doc(1, "a", 4, "c", 1), bsontest.Doc(2, "a", 2))
	s.InOrder(s.Find(c, docdb.Query{Order: suite.Index("", "a").Keys}), 2, 1)
}

func replaceMissingCase(s *suite.T) {
	c := s.Collection()
	s.Insert(c, bsontest.Doc(1))
	s.Fails(c.Replace(s.Context(), bsontest.Value(2), suite.All, bsontest.Doc(2)), docdb.ErrNoMatch)
	s.Fails(c.Replace(s.Context(), bsontest.Value(2), suite.When("a", nil), bsontest.Doc(2)), docdb.ErrNoMatch)
	s.Holds(c, bsontest.Doc(1))
}

func replaceWhenCase(s *suite.T) {
	c := s.Collection(suite.Unique("u", "a"))
	s.Insert(c, bsontest.Doc(1, "a", 1), bsontest.Doc(2, "a", 2))
	s.Fails(c.Replace(s.Context(), bsontest.Value(1), suite.When("a", 2), bsontest.Doc(1, "a", 3)), docdb.ErrNoMatch)
	s.Fails(c.Replace(s.Context(), bsontest.Value(1), suite.When("_id", 2), bsontest.Doc(1, "a", 3)), docdb.ErrNoMatch)
	s.Fails(c.Replace(s.Context(), bsontest.Value(1), docdb.And(suite.When("a", 1), suite.When("b", 1)), bsontest.Doc(1, "a", 3)), docdb.ErrNoMatch)
	// The condition is checked before the key.
	s.Fails(c.Replace(s.Context(), bsontest.Value(1), suite.When("a", 3), bsontest.Doc(1, "a", 2)), docdb.ErrNoMatch)
	s.Holds(c, bsontest.Doc(1, "a", 1), bsontest.Doc(2, "a", 2))
}

func replaceOtherIDCase(s *suite.T) {
	c := s.Collection()
	s.Insert(c, bsontest.Doc(1), bsontest.Doc(2))
	s.Fails(c.Replace(s.Context(), bsontest.Value(1), suite.All, bsontest.Doc(2, "a", 1)), docdb.ErrInvalid)
	s.Fails(c.Replace(s.Context(), bsontest.Value(1), suite.All, bsontest.Doc(3)), docdb.ErrInvalid)
	s.Fails(c.Replace(s.Context(), bsontest.Value(1), suite.All, bsontest.Raw(bson.D{{Key: "a", Value: 1}})), docdb.ErrInvalid)
	s.Holds(c, bsontest.Doc(1), bsontest.Doc(2))
}

func replaceDuplicateCase(s *suite.T) {
	c := s.Collection(suite.Unique("first", "a"), suite.Unique("second", "b"))
	s.Insert(c, bsontest.Doc(1, "a", 1, "b", 1), bsontest.Doc(2, "a", 2, "b", 2))
	s.Duplicates(c.Replace(s.Context(), bsontest.Value(1), suite.All, bsontest.Doc(1, "a", 3, "b", 2)), "second")
	s.Duplicates(c.Replace(s.Context(), bsontest.Value(1), suite.When("a", 1), bsontest.Doc(1, "a", 2, "b", 3)), "first")
	s.Holds(c, bsontest.Doc(1, "a", 1, "b", 1), bsontest.Doc(2, "a", 2, "b", 2))
	s.Insert(c, bsontest.Doc(3, "a", 3, "b", 3)) // the keys of the refused documents are free
	s.InOrder(s.Find(c, docdb.Query{Order: suite.Index("", "b").Keys}), 1, 2, 3)
}

func replaceFreesCase(s *suite.T) {
	c := s.Collection(suite.Unique("u", "a"))
	s.Insert(c, bsontest.Doc(1, "a", 1))
	s.Must(c.Replace(s.Context(), bsontest.Value(1), suite.All, bsontest.Doc(1, "a", 1, "b", 1)))
	s.Must(c.Replace(s.Context(), bsontest.Value(1), suite.All, bsontest.Doc(1, "a", bson.A{1, 2})))
	s.Duplicates(c.Insert(s.Context(), bsontest.Doc(2, "a", 2)), "u")
	s.Must(c.Replace(s.Context(), bsontest.Value(1), suite.All, bsontest.Doc(1, "a", bson.A{2, 3})))
	s.Insert(c, bsontest.Doc(2, "a", 1))
	s.Must(c.Replace(s.Context(), bsontest.Value(1), suite.All, bsontest.Doc(1)))
	s.Insert(c, bsontest.Doc(3, "a", bson.A{3, 2}))
	s.Duplicates(c.Insert(s.Context(), bsontest.Doc(4)), "u")
}

func deleteCase(s *suite.T) {
	c := s.Collection(suite.Unique("u", "a"))
	s.Insert(c, bsontest.Doc(1, "a", bson.A{1, 2}), bsontest.Doc(2, "a", 3))
	s.Must(c.Delete(s.Context(), bsontest.Value(1), suite.All))
	s.Holds(c, bsontest.Doc(2, "a", 3))
	s.InOrder(s.Find(c, docdb.Query{Order: suite.Index("", "a").Keys}), 2)
	s.Insert(c, bsontest.Doc(1, "a", 2), bsontest.Doc(3, "a", 1))
	s.Must(c.Delete(s.Context(), bsontest.Value(2), suite.When("a", 3)))
	s.Holds(c, bsontest.Doc(1, "a", 2), bsontest.Doc(3, "a", 1))
}

func deleteMissingCase(s *suite.T) {
	c := s.Collection()
	s.Insert(c, bsontest.Doc(1, "a", 1))
	s.Fails(c.Delete(s.Context(), bsontest.Value(2), suite.All), docdb.ErrNoMatch)
	s.Fails(c.Delete(s.Context(), bsontest.Value(1), suite.When("a", 2)), docdb.ErrNoMatch)
	s.Fails(c.Delete(s.Context(), bsontest.Value("1"), suite.When("a", 1)), docdb.ErrNoMatch)
	s.Holds(c, bsontest.Doc(1, "a", 1))
	s.Must(c.Delete(s.Context(), bsontest.Value(1), suite.All))
	s.Fails(c.Delete(s.Context(), bsontest.Value(1), suite.All), docdb.ErrNoMatch)
}

func conditionCase(s *suite.T) {
	type d = bson.D
	c := s.Collection()
	doc := func(n int) bson.Raw {
		return bsontest.Doc(1, "n", n, "t", bson.A{"x", "y"}, "in", d{{Key: "k", Value: 1.5}}, "op", d{{Key: "$gt", Value: int32(0)}})
	}
	s.Insert(c, doc(0))
	yes := []d{{{Key: "n", Value: d{{Key: "$gte", Value: 0}, {Key: "$lt", Value: 100}}}}, {{Key: "t", Value: "y"}}, {{Key: "t", Value: bson.A{"x", "y"}}},
		{{Key: "in.k", Value: d{{Key: "$in", Value: bson.A{1, 1.5}}}}}, {{Key: "none", Value: nil}}, {{Key: "none", Value: d{{Key: "$exists", Value: false}}}},
		{{Key: "$or", Value: bson.A{d{{Key: "n", Value: -1}}, d{{Key: "t.0", Value: "x"}}}}}, {{Key: "op", Value: d{{Key: "$eq", Value: d{{Key: "$gt", Value: 0}}}}}}}
	no := []d{{{Key: "n", Value: d{{Key: "$gte", Value: 100}}}}, {{Key: "t", Value: d{{Key: "$ne", Value: "y"}}}}, {{Key: "t", Value: bson.A{"y", "x"}}},
		{{Key: "in.k", Value: d{{Key: "$nin", Value: bson.A{1.5}}}}}, {{Key: "n", Value: nil}}, {{Key: "op", Value: d{{Key: "$eq", Value: d{{Key: "$gt", Value: 1}}}}}},
		{{Key: "$and", Value: bson.A{d{{Key: "t", Value: "x"}}, d{{Key: "t", Value: "z"}}}}}, {{Key: "n", Value: d{{Key: "$not", Value: d{{Key: "$lt", Value: 100}}}}}}}
	for i, condition := range no {
		s.Fails(c.Replace(s.Context(), bsontest.Value(1), s.Filter(condition), doc(50)), docdb.ErrNoMatch)
		s.Fails(c.Delete(s.Context(), bsontest.Value(1), s.Filter(condition)), docdb.ErrNoMatch)
		s.Holds(c, doc(0))
		s.StopIfFailed(fmt.Sprint("refused condition ", i))
	}
	for i, condition := range yes {
		s.Must(c.Replace(s.Context(), bsontest.Value(1), s.Filter(condition), doc(i+1)))
		s.Must(c.Delete(s.Context(), bsontest.Value(1), s.Filter(condition)))
		s.Insert(c, doc(0))
		s.StopIfFailed(fmt.Sprint("condition ", i))
	}
}
