package docdbtest

import (
	"bytes"
	"runtime"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// documentCases are the sentences of docdb's section Documents.
var documentCases = map[string]func(*suite){
	"every BSON type is read back byte for byte": func(s *suite) {
		c := s.collection()
		var docs []bson.Raw
		for i, v := range s.everyType() {
			docs = append(docs, Doc(i, "a", v, "in", bson.D{{Key: "doc", Value: bson.A{v, v}}}))
		}
		half := len(docs) / 2
		s.insert(c, docs[:half]...)
		s.load(c, docs[half:])
		s.holds(c, docs...)
		for i, doc := range docs {
			got, err := c.Get(s.Context(), Value(i))
			s.must(err)
			s.same([]bson.Raw{got}, []bson.Raw{doc})
			docs[i] = Doc(i, "b", bson.A{s.everyType()[i]})
			s.must(c.Replace(s.Context(), Value(i), all, docs[i]))
		}
		s.holds(c, docs...)
	},
	"the order of fields, and a nested name that is there twice, are read back as written": func(s *suite) {
		twice := bson.D{{Key: "z", Value: 1}, {Key: "a", Value: 2}, {Key: "z", Value: 3}}
		docs := []bson.Raw{Doc(1, "z", 1, "a", 2, "m", twice), Doc(2, "m", bson.A{twice})}
		c := s.collection()
		s.insert(c, docs...)
		s.holds(c, docs...)
	},
	"nested names may be empty, begin with $ or hold dots, and top-level names may hold dots": func(s *suite) {
		odd := bson.D{{Key: "", Value: 1}, {Key: "$set", Value: 2}, {Key: "a.b", Value: 3}, {Key: "_id", Value: bson.A{}}}
		docs := []bson.Raw{Doc(1, "a", odd, "b.c", 1), Doc(2, "a", bson.A{odd})}
		c := s.collection(index("i", "b.c"))
		s.insert(c, docs[0])
		s.load(c, docs[1:])
		s.must(c.Replace(s.Context(), Value(1), all, docs[0]))
		s.holds(c, docs...)
	},
	"a Timestamp(0,0) stays within, and at the top level comes back as it is or as the time of the write": func(s *suite) {
		c := s.collection()
		in := Doc(1, "a", bson.D{{Key: "t", Value: bson.Timestamp{}}})
		s.insert(c, in, Doc(2, "t", bson.Timestamp{}))
		got, err := c.Get(s.Context(), Value(1))
		s.must(err)
		s.same([]bson.Raw{got}, []bson.Raw{in})
		got, err = c.Get(s.Context(), Value(2))
		s.must(err)
		if v := got.Lookup("t"); v.Type != bson.TypeTimestamp || len(got) != len(Doc(2, "t", bson.Timestamp{})) {
			s.Errorf("got %v", got)
		}
	},
	"an _id is any value but an array, a regular expression or undefined": func(s *suite) {
		c := s.collection()
		var docs []bson.Raw
		for _, id := range s.everyType() {
			if doc := Doc(id, "a", 1); docdb.ValidateID(id) != nil {
				s.refuses(c, doc, docdb.ErrInvalid)
			}
		}
		for _, id := range s.everyID() {
			docs = append(docs, Doc(id, "a", 1))
		}
		s.insert(c, docs...)
		s.holds(c, docs...)
		for i, doc := range docs {
			id := docdb.ID(doc)
			s.duplicates(c.Insert(s.Context(), doc), docdb.IDIndex)
			docs[i] = Doc(id, "a", 2)
			s.must(c.Replace(s.Context(), id, when("a", 1), docs[i]))
			got, err := c.Get(s.Context(), id)
			s.must(err)
			s.same([]bson.Raw{got}, []bson.Raw{docs[i]})
		}
		s.holds(c, docs...)
		for _, doc := range docs {
			s.must(c.Delete(s.Context(), docdb.ID(doc), when("a", 2)))
		}
		s.isEmpty(c)
	},
	"equal numbers of different types are one _id": func(s *suite) {
		c := s.collection()
		one, _ := bson.ParseDecimal128("1.0")
		s.insert(c, Doc(int32(1)))
		for _, id := range []any{int64(1), 1.0, one} {
			s.duplicates(c.Insert(s.Context(), Doc(id)), docdb.IDIndex)
			got, err := c.Get(s.Context(), Value(id))
			s.must(err)
			s.same([]bson.Raw{got}, []bson.Raw{Doc(int32(1))})
		}
		s.insert(c, Doc(1.5), Doc("1"), Doc(true))
		s.must(c.Delete(s.Context(), Value(1.0), all))
		s.holds(c, Doc(1.5), Doc("1"), Doc(true))
	},
	"numbers that a double cannot tell apart are different _ids": func(s *suite) {
		c := s.collection()
		docs := []bson.Raw{Doc(int64(1 << 53)), Doc(int64(1<<53 + 1)), Doc(0.1)}
		tenth, _ := bson.ParseDecimal128("0.1")
		docs = append(docs, Doc(tenth))
		s.insert(c, docs...)
		s.holds(c, docs...)
	},
	"a document of 16 MiB is accepted and read back": func(s *suite) {
		c := s.collection(index("i", "pad.none"))
		s.insert(c, Sized(1, docdb.MaxDocumentSize))
		s.load(c, []bson.Raw{Sized(2, docdb.MaxDocumentSize), Doc(3)})
		s.must(c.Replace(s.Context(), Value(3), all, Sized(3, docdb.MaxDocumentSize)))
		for i := 1; i <= 3; i++ {
			got, err := c.Get(s.Context(), Value(i))
			s.must(err)
			if !bytes.Equal(got, Sized(i, docdb.MaxDocumentSize)) {
				s.Errorf("document %d is not what was written", i)
			}
		}
		s.inOrder(s.find(c, docdb.Query{Filter: when("none", nil)}), 1, 2, 3)
	},
	"a document of a byte over 16 MiB is ErrTooLarge and changes nothing": func(s *suite) {
		s.refuses(s.collection(), Sized(2, docdb.MaxDocumentSize+1), docdb.ErrTooLarge)
	},
	"a document of 100 levels is accepted, one of 101 is ErrInvalid and changes nothing": func(s *suite) {
		deep := func(levels int) any {
			var v any = int32(1)
			for i := range levels {
				if v = (bson.D{{Key: "a", Value: v}}); i%2 == 1 {
					v = bson.A{v.(bson.D)[0].Value}
				}
			}
			return v
		}
		c := s.collection()
		s.insert(c, Doc(2, "a", deep(docdb.MaxDepth-1)))
		s.holds(c, Doc(2, "a", deep(docdb.MaxDepth-1)))
		s.must(c.Delete(s.Context(), Value(2), all))
		s.refuses(c, Doc(2, "a", deep(docdb.MaxDepth)), docdb.ErrInvalid)
	},
	"a document without _id first, or with an empty, $ or second _id name, is ErrInvalid and changes nothing": func(s *suite) {
		c := s.collection()
		for _, doc := range []bson.Raw{Raw(bson.D{}), Raw(bson.D{{Key: "a", Value: 1}, {Key: "_id", Value: 2}}),
			Doc(2, "", 1), Doc(2, "$a", 1), Doc(2, "_id", 2), Doc(bson.D{{Key: "$a", Value: 1}})} {
			s.refuses(c, doc, docdb.ErrInvalid)
		}
	},
	"bytes that are not BSON are ErrInvalid and change nothing": func(s *suite) {
		c := s.collection()
		good := Doc(2, "a", "xyz", "b", true)
		for _, doc := range []bson.Raw{nil, {}, good[:len(good)-1], append(bytes.Clone(good), 0),
			bytes.Replace(good, []byte("xyz\x00"), []byte("xyzz"), 1), bytes.Replace(good, []byte("xyz"), []byte("x\xffz"), 1)} {
			s.refuses(c, doc, docdb.ErrInvalid)
		}
	},
	"a document handed in or out is the caller's to change": func(s *suite) {
		c := s.collection(index("a", "a"))
		scribble := func(doc bson.Raw) { clear(doc[5:]) }
		one, many := Doc(1, "a", "x"), []bson.Raw{Doc(2, "a", "y"), Doc(3, "a", "z")}
		want := []bson.Raw{Doc(1, "a", "w"), Doc(2, "a", "y"), Doc(3, "a", "z")}
		s.insert(c, one)
		s.load(c, many)
		other := Doc(1, "a", "w")
		s.must(c.Replace(s.Context(), Value(1), all, other))
		for _, doc := range append(many, one, other) {
			scribble(doc)
		}
		for range 2 {
			got, err := c.Get(s.Context(), Value(1))
			s.must(err)
			found := s.find(c, docdb.Query{Order: index("", "a").Keys})
			s.inOrder(found, 1, 2, 3)
			s.holds(c, want...)
			for _, doc := range append(found, got) {
				scribble(doc)
			}
		}
	},
	"Find takes memory that does not grow with the number of documents": memoryCase,
}

// everyType is a value of every type, several of most.
func (s *suite) everyType() []bson.RawValue {
	values := append(scalars(), exotic()...)
	inf, _ := bson.ParseDecimal128("-Infinity")
	precise, _ := bson.ParseDecimal128("1.000000000000000000000000000000000")
	for _, v := range []any{int32(-1), int64(1 << 60), 0.1, 1e300, precise, inf,
		bson.D{}, bson.D{{Key: "a", Value: bson.D{}}}, bson.A{}, bson.A{nil, bson.A{}, int32(1)},
		bson.Binary{Subtype: 2, Data: []byte("old")}, bson.Binary{Subtype: 9, Data: []byte{3, 0, 1}}} {
		values = append(values, Value(v))
	}
	return slices.DeleteFunc(values, s.lacks)
}

// everyID is a value of every type that an _id may have, no two equal.
func (s *suite) everyID() []bson.RawValue {
	ids := append(s.everyType(), Value(int32(3)), Value(2.5), Value(int64(1<<53+1)), Value("abc"))
	ids = slices.DeleteFunc(ids, func(v bson.RawValue) bool { return docdb.ValidateID(v) != nil })
	slices.SortFunc(ids, docdb.Compare)
	return slices.CompactFunc(ids, func(a, b bson.RawValue) bool { return docdb.Compare(a, b) == 0 })
}

// refuses asks that each way to write the document fails and changes nothing.
func (s *suite) refuses(c docdb.Collection, doc bson.Raw, want error) {
	s.Helper()
	keep := Doc(2.0, "keep", true)
	s.insert(c, keep)
	s.fails(c.Insert(s.Context(), doc), want)
	s.fails(c.Replace(s.Context(), Value(2), all, doc), want)
	errs, err := c.InsertMany(s.Context(), []bson.Raw{Doc("first"), doc, Doc("last")})
	s.must(err)
	if len(errs) != 3 || errs[0] != nil || errs[2] != nil {
		s.Fatalf("InsertMany: got errors %v", errs)
	}
	s.fails(errs[1], want)
	s.holds(c, keep, Doc("first"), Doc("last"))
	for _, id := range []any{2, "first", "last"} {
		s.must(c.Delete(s.Context(), Value(id), all))
	}
}

// memoryCase reads 96 MiB, one MiB at a time, and holds none of it.
func memoryCase(s *suite) {
	c := s.collection(index("a", "a"))
	for i := range 96 {
		s.insert(c, Sized(i, 1<<20))
	}
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	for _, order := range [][]docdb.Key{nil, index("", "a").Keys} {
		before, most, seen := heap(), 0, 0
		for doc, err := range c.Find(s.Context(), docdb.Query{Order: order}) {
			s.must(err)
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
