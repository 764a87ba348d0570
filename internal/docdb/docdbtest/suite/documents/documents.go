// Package documents has the cases of docdbtest about single documents: what may be stored, and
// how Insert, InsertMany, Get, Replace and Delete treat it.
package documents

import (
	"bytes"
	"runtime"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
)

// Cases are about docdb's section Documents.
var Cases = suite.Cases{
	"every BSON type is read back byte for byte": func(s *suite.T) {
		c := s.Collection()
		var docs []bson.Raw
		for i, v := range s.EveryType() {
			docs = append(docs, bsontest.Doc(i, "a", v, "in", bson.D{{Key: "doc", Value: bson.A{v, v}}}))
		}
		half := len(docs) / 2
		s.Insert(c, docs[:half]...)
		s.Load(c, docs[half:])
		s.Holds(c, docs...)
		for i, doc := range docs {
			got, err := c.Get(s.Context(), bsontest.Value(i))
			s.Must(err)
			s.Same([]bson.Raw{got}, []bson.Raw{doc})
			docs[i] = bsontest.Doc(i, "b", bson.A{s.EveryType()[i]})
			s.Must(c.Replace(s.Context(), bsontest.Value(i), suite.All, docs[i]))
		}
		s.Holds(c, docs...)
	},
	"the order of fields, and a nested name that is there twice, are read back as written": func(s *suite.T) {
		twice := bson.D{{Key: "z", Value: 1}, {Key: "a", Value: 2}, {Key: "z", Value: 3}}
		docs := []bson.Raw{bsontest.Doc(1, "z", 1, "a", 2, "m", twice), bsontest.Doc(2, "m", bson.A{twice})}
		c := s.Collection()
		s.Insert(c, docs...)
		s.Holds(c, docs...)
	},
	"nested names may be empty, begin with $ or hold dots, and top-level names may hold dots": func(s *suite.T) {
		odd := bson.D{{Key: "", Value: 1}, {Key: "$set", Value: 2}, {Key: "a.b", Value: 3}, {Key: "_id", Value: bson.A{}}}
		docs := []bson.Raw{bsontest.Doc(1, "a", odd, "b.c", 1), bsontest.Doc(2, "a", bson.A{odd})}
		c := s.Collection(suite.Index("i", "b.c"))
		s.Insert(c, docs[0])
		s.Load(c, docs[1:])
		s.Must(c.Replace(s.Context(), bsontest.Value(1), suite.All, docs[0]))
		s.Holds(c, docs...)
	},
	"a nested Timestamp(0,0) stays as it is, and at the top level becomes the time of the write or stays": func(s *suite.T) {
		c := s.Collection()
		in := bsontest.Doc(1, "a", bson.D{{Key: "t", Value: bson.Timestamp{}}})
		s.Insert(c, in, bsontest.Doc(2, "t", bson.Timestamp{}))
		got, err := c.Get(s.Context(), bsontest.Value(1))
		s.Must(err)
		s.Same([]bson.Raw{got}, []bson.Raw{in})
		got, err = c.Get(s.Context(), bsontest.Value(2))
		s.Must(err)
		if v := got.Lookup("t"); v.Type != bson.TypeTimestamp || len(got) != len(bsontest.Doc(2, "t", bson.Timestamp{})) {
			s.Errorf("got %v", got)
		}
	},
	"an _id is any value but an array, a regular expression or undefined": func(s *suite.T) {
		c := s.Collection()
		var docs []bson.Raw
		for _, id := range s.EveryType() {
			if doc := bsontest.Doc(id, "a", 1); docdb.ValidateID(id) != nil {
				refuses(s, c, doc, docdb.ErrInvalid)
			}
		}
		for _, id := range s.EveryID() {
			docs = append(docs, bsontest.Doc(id, "a", 1))
		}
		s.Insert(c, docs...)
		s.Holds(c, docs...)
		for i, doc := range docs {
			id := docdb.ID(doc)
			s.Duplicates(c.Insert(s.Context(), doc), docdb.IDIndex)
			docs[i] = bsontest.Doc(id, "a", 2)
			s.Must(c.Replace(s.Context(), id, suite.When("a", 1), docs[i]))
			got, err := c.Get(s.Context(), id)
			s.Must(err)
			s.Same([]bson.Raw{got}, []bson.Raw{docs[i]})
		}
		s.Holds(c, docs...)
		for _, doc := range docs {
			s.Must(c.Delete(s.Context(), docdb.ID(doc), suite.When("a", 2)))
		}
		s.IsEmpty(c)
	},
	"equal numbers of different types are one _id": func(s *suite.T) {
		c := s.Collection()
		one, _ := bson.ParseDecimal128("1.0")
		s.Insert(c, bsontest.Doc(int32(1)))
		for _, id := range []any{int64(1), 1.0, one} {
			s.Duplicates(c.Insert(s.Context(), bsontest.Doc(id)), docdb.IDIndex)
			got, err := c.Get(s.Context(), bsontest.Value(id))
			s.Must(err)
			s.Same([]bson.Raw{got}, []bson.Raw{bsontest.Doc(int32(1))})
		}
		s.Insert(c, bsontest.Doc(1.5), bsontest.Doc("1"), bsontest.Doc(true))
		s.Must(c.Delete(s.Context(), bsontest.Value(1.0), suite.All))
		s.Holds(c, bsontest.Doc(1.5), bsontest.Doc("1"), bsontest.Doc(true))
	},
	"numbers that a double cannot tell apart are different _ids": func(s *suite.T) {
		c := s.Collection()
		docs := []bson.Raw{bsontest.Doc(int64(1 << 53)), bsontest.Doc(int64(1<<53 + 1)), bsontest.Doc(0.1)}
		tenth, _ := bson.ParseDecimal128("0.1")
		docs = append(docs, bsontest.Doc(tenth))
		s.Insert(c, docs...)
		s.Holds(c, docs...)
	},
	"a document of 16 MiB is accepted and read back": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "pad.none"))
		s.Insert(c, bsontest.Sized(1, docdb.MaxDocumentSize))
		s.Load(c, []bson.Raw{bsontest.Sized(2, docdb.MaxDocumentSize), bsontest.Doc(3)})
		s.Must(c.Replace(s.Context(), bsontest.Value(3), suite.All, bsontest.Sized(3, docdb.MaxDocumentSize)))
		for i := 1; i <= 3; i++ {
			got, err := c.Get(s.Context(), bsontest.Value(i))
			s.Must(err)
			if !bytes.Equal(got, bsontest.Sized(i, docdb.MaxDocumentSize)) {
				s.Errorf("document %d is not as it was written", i)
			}
		}
		s.InOrder(s.Find(c, docdb.Query{Filter: suite.When("none", nil)}), 1, 2, 3)
	},
	"a document of a byte over 16 MiB is ErrTooLarge and changes nothing": func(s *suite.T) {
		refuses(s, s.Collection(), bsontest.Sized(2, docdb.MaxDocumentSize+1), docdb.ErrTooLarge)
	},
	"a document of 100 levels is accepted, a document of 101 is ErrInvalid and changes nothing": func(s *suite.T) {
		deep := func(levels int) any {
			var v any = int32(1)
			for i := range levels {
				if v = (bson.D{{Key: "a", Value: v}}); i%2 == 1 {
					v = bson.A{v.(bson.D)[0].Value}
				}
			}
			return v
		}
		c := s.Collection()
		s.Insert(c, bsontest.Doc(2, "a", deep(docdb.MaxDepth-1)))
		s.Holds(c, bsontest.Doc(2, "a", deep(docdb.MaxDepth-1)))
		s.Must(c.Delete(s.Context(), bsontest.Value(2), suite.All))
		refuses(s, c, bsontest.Doc(2, "a", deep(docdb.MaxDepth)), docdb.ErrInvalid)
	},
	"a document without _id first, or with an empty, $ or second _id name, is ErrInvalid and changes nothing": func(s *suite.T) {
		c := s.Collection()
		for _, doc := range []bson.Raw{bsontest.Raw(bson.D{}), bsontest.Raw(bson.D{{Key: "a", Value: 1}, {Key: "_id", Value: 2}}),
			bsontest.Doc(2, "", 1), bsontest.Doc(2, "$a", 1), bsontest.Doc(2, "_id", 2), bsontest.Doc(bson.D{{Key: "$a", Value: 1}})} {
			refuses(s, c, doc, docdb.ErrInvalid)
		}
	},
	"bytes that are not BSON are ErrInvalid and change nothing": func(s *suite.T) {
		c := s.Collection()
		good := bsontest.Doc(2, "a", "xyz", "b", true)
		for _, doc := range []bson.Raw{nil, {}, good[:len(good)-1], append(bytes.Clone(good), 0),
			bytes.Replace(good, []byte("xyz\x00"), []byte("xyzz"), 1), bytes.Replace(good, []byte("xyz"), []byte("x\xffz"), 1)} {
			refuses(s, c, doc, docdb.ErrInvalid)
		}
	},
	"a document handed in or out is the caller's to change": func(s *suite.T) {
		c := s.Collection(suite.Index("a", "a"))
		scribble := func(doc bson.Raw) { clear(doc[5:]) }
		one, many := bsontest.Doc(1, "a", "x"), []bson.Raw{bsontest.Doc(2, "a", "y"), bsontest.Doc(3, "a", "z")}
		want := []bson.Raw{bsontest.Doc(1, "a", "w"), bsontest.Doc(2, "a", "y"), bsontest.Doc(3, "a", "z")}
		s.Insert(c, one)
		s.Load(c, many)
		other := bsontest.Doc(1, "a", "w")
		s.Must(c.Replace(s.Context(), bsontest.Value(1), suite.All, other))
		for _, doc := range append(many, one, other) {
			scribble(doc)
		}
		for range 2 {
			got, err := c.Get(s.Context(), bsontest.Value(1))
			s.Must(err)
			found := s.Find(c, docdb.Query{Order: suite.Index("", "a").Keys})
			s.InOrder(found, 1, 2, 3)
			s.Holds(c, want...)
			for _, doc := range append(found, got) {
				scribble(doc)
			}
		}
	},
	"Find takes memory that does not grow with the number of documents": memoryCase,
}

// refuses asserts that every way to write the document fails with want and changes nothing.
func refuses(s *suite.T, c docdb.Collection, doc bson.Raw, want error) {
	s.Helper()
	keep := bsontest.Doc(2.0, "keep", true)
	s.Insert(c, keep)
	s.Fails(c.Insert(s.Context(), doc), want)
	s.Fails(c.Replace(s.Context(), bsontest.Value(2), suite.All, doc), want)
	errs, err := c.InsertMany(s.Context(), []bson.Raw{bsontest.Doc("first"), doc, bsontest.Doc("last")})
	s.Must(err)
	if len(errs) != 3 || errs[0] != nil || errs[2] != nil {
		s.Fatalf("InsertMany: got errors %v", errs)
	}
	s.Fails(errs[1], want)
	s.Holds(c, keep, bsontest.Doc("first"), bsontest.Doc("last"))
	for _, id := range []any{2, "first", "last"} {
		s.Must(c.Delete(s.Context(), bsontest.Value(id), suite.All))
	}
}

// memoryCase reads 96 MiB, one MiB at a time, and holds none of it.
func memoryCase(s *suite.T) {
	c := s.Collection(suite.Index("a", "a"))
	for i := range 96 {
		s.Insert(c, bsontest.Sized(i, 1<<20))
	}
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	for _, order := range [][]docdb.Key{nil, suite.Index("", "a").Keys} {
		before, most, seen := heap(), 0, 0
		for doc, err := range c.Find(s.Context(), docdb.Query{Order: order}) {
			s.Must(err)
			if seen += len(doc); seen>>20%8 == 0 {
				most = max(most, heap())
			}
		}
		if seen != 96<<20 {
			s.Errorf("got %d bytes", seen)
		}
		if grown := most - before; grown > 48<<20 {
			s.Errorf("by %v the heap grew by %d MiB", order, grown>>20)
		}
	}
}
