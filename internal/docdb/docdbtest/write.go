package docdbtest

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// writeCases are the sentences on Insert, InsertMany, Get, Replace and Delete.
var writeCases = map[string]func(*suite){
	"Insert adds a document, which a read that begins after it sees": func(s *suite) {
		c := s.collection(index("i", "a"))
		for i := range 20 {
			s.insert(c, Doc(i, "a", i))
			_, err := c.Get(s.Context(), Value(i))
			s.must(err)
			s.inOrder(s.find(c, docdb.Query{Order: index("", "a").Keys, Desc: true, Limit: 1}), i)
			if n, err := c.Count(s.Context(), all); err != nil || n != int64(i+1) {
				s.Fatalf("Count: %d, %v, want %d", n, err, i+1)
			}
		}
	},
	"Insert of an _id that is taken is a DuplicateError that names _id_, and changes nothing": func(s *suite) {
		c := s.collection(index("i", "a"))
		s.insert(c, Doc(1, "a", 1))
		s.duplicates(c.Insert(s.Context(), Doc(1, "a", 2)), docdb.IDIndex)
		s.holds(c, Doc(1, "a", 1))
		s.inOrder(s.find(c, docdb.Query{Filter: when("a", 2), Order: index("", "a").Keys}))
	},
	"Insert of a unique key that is taken is a DuplicateError that names the index, and changes nothing": func(s *suite) {
		c := s.collection(unique("first", "a"), unique("second", "b"))
		s.insert(c, Doc(1, "a", 1, "b", 1))
		s.duplicates(c.Insert(s.Context(), Doc(2, "a", 1, "b", 2)), "first")
		s.duplicates(c.Insert(s.Context(), Doc(2, "a", 2, "b", 1)), "second")
		s.holds(c, Doc(1, "a", 1, "b", 1))
		// What was refused has taken no key in any index.
		s.insert(c, Doc(2, "a", 2, "b", 2))
		s.inOrder(s.find(c, docdb.Query{Order: index("", "b").Keys}), 1, 2)
	},
	"InsertMany adds documents, and answers by position which were not":                        insertManyCase,
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

func insertManyCase(s *suite) {
	c := s.collection(unique("u", "a"), index("i", "x", "y"))
	s.insert(c, Doc(1, "a", 1))
	docs := []bson.Raw{
		Doc(2, "a", 2),
		Doc(1, "a", 3), // the _id is taken
		Doc(4, "a", 1), // the unique key is taken
		Doc(5, "a", 5, "x", bson.A{1}, "y", bson.A{1}), // two arrays in an index
		Doc(6, "$a", 6),
		Raw(bson.D{}),
		Sized(7, docdb.MaxDocumentSize+1),
		Doc(8, "a", 8),
	}
	errs, err := c.InsertMany(s.Context(), docs)
	s.must(err)
	if len(errs) != len(docs) {
		s.Fatalf("got %d errors for %d documents", len(errs), len(docs))
	}
	s.fails(errs[0], nil)
	s.duplicates(errs[1], docdb.IDIndex)
	s.duplicates(errs[2], "u")
	s.fails(errs[3], docdb.ErrInvalid)
	s.fails(errs[4], docdb.ErrInvalid)
	s.fails(errs[5], docdb.ErrInvalid)
	s.fails(errs[6], docdb.ErrTooLarge)
	s.fails(errs[7], nil)
	s.holds(c, Doc(1, "a", 1), docs[0], docs[7])
}

func insertManyAgainCase(s *suite) {
	c := s.collection(unique("u", "a"))
	docs := numbered(300, func(i int) []any { return []any{"a", i} })
	s.insert(c, docs[7], docs[299])
	for want := range 2 {
		errs, err := c.InsertMany(s.Context(), docs)
		s.must(err)
		for i, err := range errs {
			if want == 0 && i != 7 && i != 299 {
				s.must(err)
			} else {
				s.fails(err, docdb.ErrDuplicate)
			}
		}
	}
	s.holds(c, docs...)
}

func insertManyTwiceCase(s *suite) {
	c := s.collection(unique("u", "a"))
	errs, err := c.InsertMany(s.Context(), []bson.Raw{Doc(1, "a", 1), Doc(1, "a", 2), Doc(3, "a", 3), Doc(4, "a", 3)})
	s.must(err)
	first, second := s.oneWins(errs[:2], docdb.ErrDuplicate), s.oneWins(errs[2:], docdb.ErrDuplicate)
	s.holds(c, Doc(1, "a", 1+first), Doc(3+second, "a", 3))
}

func insertManyCountCase(s *suite) {
	c := s.collection()
	errs, err := c.InsertMany(s.Context(), nil)
	if err != nil || len(errs) != 0 {
		s.Errorf("none: got %v, %v", errs, err)
	}
	s.isEmpty(c)
	docs := numbered(1000, func(int) []any { return nil })
	s.load(c, docs)
	s.holds(c, docs...)
}

func insertManyLimitCase(s *suite) {
	c := s.collection()
	_, err := c.InsertMany(s.Context(), numbered(1001, func(int) []any { return nil }))
	s.fails(err, docdb.ErrTooLarge)
	var docs []bson.Raw
	for i := range 4 {
		docs = append(docs, Sized(i, 12<<20))
	}
	docs[0] = Sized(0, 12<<20+1)
	_, err = c.InsertMany(s.Context(), docs)
	s.fails(err, docdb.ErrTooLarge)
}

func insertManyLargeCase(s *suite) {
	c := s.collection()
	var docs []bson.Raw
	for i := range 3 {
		docs = append(docs, Sized(i, docdb.MaxDocumentSize))
	}
	s.load(c, docs)
	s.holds(c, docs...)
}

func getCase(s *suite) {
	c := s.collection()
	s.insert(c, Doc("a", "x", 1), Doc("ab", "x", 2), Doc(nil, "x", 3))
	for id, want := range map[any]bson.Raw{"a": Doc("a", "x", 1), "ab": Doc("ab", "x", 2), nil: Doc(nil, "x", 3)} {
		got, err := c.Get(s.Context(), Value(id))
		s.must(err)
		s.same([]bson.Raw{got}, []bson.Raw{want})
	}
	for _, id := range []any{"b", "", "A", int32(1), false, bson.D{}, bson.D{{Key: "$gt", Value: ""}}, bson.D{{Key: "$exists", Value: true}}} {
		got, err := c.Get(s.Context(), Value(id))
		s.fails(err, docdb.ErrNotFound)
		if got != nil {
			s.Errorf("%v: got %v beside the error", id, got)
		}
	}
}

func replaceCase(s *suite) {
	c := s.collection(index("i", "a"))
	s.insert(c, Doc(1, "a", 1, "b", 1), Doc(2, "a", 2))
	s.must(c.Replace(s.Context(), Value(1), all, Doc(1, "a", 3)))
	s.holds(c, Doc(1, "a", 3), Doc(2, "a", 2))
	s.must(c.Replace(s.Context(), Value(1), when("a", 3), Doc(1, "a", 4, "c", 1)))
	s.must(c.Replace(s.Context(), Value(1), when("a", 4), Doc(1, "a", 4, "c", 1))) // by the same
	s.holds(c, Doc(1, "a", 4, "c", 1), Doc(2, "a", 2))
	s.inOrder(s.find(c, docdb.Query{Order: index("", "a").Keys}), 2, 1)
}

func replaceMissingCase(s *suite) {
	c := s.collection()
	s.insert(c, Doc(1))
	s.fails(c.Replace(s.Context(), Value(2), all, Doc(2)), docdb.ErrNoMatch)
	s.fails(c.Replace(s.Context(), Value(2), when("a", nil), Doc(2)), docdb.ErrNoMatch)
	s.holds(c, Doc(1))
}

func replaceWhenCase(s *suite) {
	c := s.collection(unique("u", "a"))
	s.insert(c, Doc(1, "a", 1), Doc(2, "a", 2))
	s.fails(c.Replace(s.Context(), Value(1), when("a", 2), Doc(1, "a", 3)), docdb.ErrNoMatch)
	s.fails(c.Replace(s.Context(), Value(1), when("_id", 2), Doc(1, "a", 3)), docdb.ErrNoMatch)
	s.fails(c.Replace(s.Context(), Value(1), docdb.And(when("a", 1), when("b", 1)), Doc(1, "a", 3)), docdb.ErrNoMatch)
	// The condition goes before the key.
	s.fails(c.Replace(s.Context(), Value(1), when("a", 3), Doc(1, "a", 2)), docdb.ErrNoMatch)
	s.holds(c, Doc(1, "a", 1), Doc(2, "a", 2))
}

func replaceOtherIDCase(s *suite) {
	c := s.collection()
	s.insert(c, Doc(1), Doc(2))
	s.fails(c.Replace(s.Context(), Value(1), all, Doc(2, "a", 1)), docdb.ErrInvalid)
	s.fails(c.Replace(s.Context(), Value(1), all, Doc(3)), docdb.ErrInvalid)
	s.fails(c.Replace(s.Context(), Value(1), all, Raw(bson.D{{Key: "a", Value: 1}})), docdb.ErrInvalid)
	s.holds(c, Doc(1), Doc(2))
}

func replaceDuplicateCase(s *suite) {
	c := s.collection(unique("first", "a"), unique("second", "b"))
	s.insert(c, Doc(1, "a", 1, "b", 1), Doc(2, "a", 2, "b", 2))
	s.duplicates(c.Replace(s.Context(), Value(1), all, Doc(1, "a", 3, "b", 2)), "second")
	s.duplicates(c.Replace(s.Context(), Value(1), when("a", 1), Doc(1, "a", 2, "b", 3)), "first")
	s.holds(c, Doc(1, "a", 1, "b", 1), Doc(2, "a", 2, "b", 2))
	s.insert(c, Doc(3, "a", 3, "b", 3)) // the keys of what was refused are free
	s.inOrder(s.find(c, docdb.Query{Order: index("", "b").Keys}), 1, 2, 3)
}

func replaceFreesCase(s *suite) {
	c := s.collection(unique("u", "a"))
	s.insert(c, Doc(1, "a", 1))
	s.must(c.Replace(s.Context(), Value(1), all, Doc(1, "a", 1, "b", 1)))
	s.must(c.Replace(s.Context(), Value(1), all, Doc(1, "a", bson.A{1, 2})))
	s.duplicates(c.Insert(s.Context(), Doc(2, "a", 2)), "u")
	s.must(c.Replace(s.Context(), Value(1), all, Doc(1, "a", bson.A{2, 3})))
	s.insert(c, Doc(2, "a", 1))
	s.must(c.Replace(s.Context(), Value(1), all, Doc(1)))
	s.insert(c, Doc(3, "a", bson.A{3, 2}))
	s.duplicates(c.Insert(s.Context(), Doc(4)), "u")
}

func deleteCase(s *suite) {
	c := s.collection(unique("u", "a"))
	s.insert(c, Doc(1, "a", bson.A{1, 2}), Doc(2, "a", 3))
	s.must(c.Delete(s.Context(), Value(1), all))
	s.holds(c, Doc(2, "a", 3))
	s.inOrder(s.find(c, docdb.Query{Order: index("", "a").Keys}), 2)
	s.insert(c, Doc(1, "a", 2), Doc(3, "a", 1))
	s.must(c.Delete(s.Context(), Value(2), when("a", 3)))
	s.holds(c, Doc(1, "a", 2), Doc(3, "a", 1))
}

func deleteMissingCase(s *suite) {
	c := s.collection()
	s.insert(c, Doc(1, "a", 1))
	s.fails(c.Delete(s.Context(), Value(2), all), docdb.ErrNoMatch)
	s.fails(c.Delete(s.Context(), Value(1), when("a", 2)), docdb.ErrNoMatch)
	s.fails(c.Delete(s.Context(), Value("1"), when("a", 1)), docdb.ErrNoMatch)
	s.holds(c, Doc(1, "a", 1))
	s.must(c.Delete(s.Context(), Value(1), all))
	s.fails(c.Delete(s.Context(), Value(1), all), docdb.ErrNoMatch)
}

func conditionCase(s *suite) {
	type d = bson.D
	c := s.collection()
	doc := func(n int) bson.Raw {
		return Doc(1, "n", n, "t", bson.A{"x", "y"}, "in", d{{Key: "k", Value: 1.5}}, "op", d{{Key: "$gt", Value: int32(0)}})
	}
	s.insert(c, doc(0))
	yes := []d{{{Key: "n", Value: d{{Key: "$gte", Value: 0}, {Key: "$lt", Value: 100}}}}, {{Key: "t", Value: "y"}}, {{Key: "t", Value: bson.A{"x", "y"}}},
		{{Key: "in.k", Value: d{{Key: "$in", Value: bson.A{1, 1.5}}}}}, {{Key: "none", Value: nil}}, {{Key: "none", Value: d{{Key: "$exists", Value: false}}}},
		{{Key: "$or", Value: bson.A{d{{Key: "n", Value: -1}}, d{{Key: "t.0", Value: "x"}}}}}, {{Key: "op", Value: d{{Key: "$eq", Value: d{{Key: "$gt", Value: 0}}}}}}}
	no := []d{{{Key: "n", Value: d{{Key: "$gte", Value: 100}}}}, {{Key: "t", Value: d{{Key: "$ne", Value: "y"}}}}, {{Key: "t", Value: bson.A{"y", "x"}}},
		{{Key: "in.k", Value: d{{Key: "$nin", Value: bson.A{1.5}}}}}, {{Key: "n", Value: nil}}, {{Key: "op", Value: d{{Key: "$eq", Value: d{{Key: "$gt", Value: 1}}}}}},
		{{Key: "$and", Value: bson.A{d{{Key: "t", Value: "x"}}, d{{Key: "t", Value: "z"}}}}}, {{Key: "n", Value: d{{Key: "$not", Value: d{{Key: "$lt", Value: 100}}}}}}}
	for i, condition := range no {
		s.fails(c.Replace(s.Context(), Value(1), s.filter(condition), doc(50)), docdb.ErrNoMatch)
		s.fails(c.Delete(s.Context(), Value(1), s.filter(condition)), docdb.ErrNoMatch)
		s.holds(c, doc(0))
		s.failedAt(fmt.Sprint("refused condition ", i))
	}
	for i, condition := range yes {
		s.must(c.Replace(s.Context(), Value(1), s.filter(condition), doc(i+1)))
		s.must(c.Delete(s.Context(), Value(1), s.filter(condition)))
		s.insert(c, doc(0))
		s.failedAt(fmt.Sprint("condition ", i))
	}
}

// failedAt stops a case that has failed, saying where.
func (s *suite) failedAt(where string) {
	s.Helper()
	if s.Failed() {
		s.Fatal("at ", where)
	}
}
