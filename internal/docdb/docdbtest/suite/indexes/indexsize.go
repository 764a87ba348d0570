package indexes

import (
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// indexSizes is about docdb.IndexSizer, for collections that implement it.
func indexSizes(s *suite.T) {
	c := s.Collection(suite.Index("i", "a"), suite.Unique("u", "b", "_x"), suite.Index("k", "-a", "b"))
	sizer, ok := c.(docdb.IndexSizer)
	if !ok {
		s.Skip("the engine does not tell sizes of documents in indexes")
	}
	docs := append(someOf(20), bsontest.Doc("many", "a", bson.A{1, 2, 3, 2.0}, "b", 1), bsontest.Doc("one", "a", bson.A{}, "b", 2),
		bsontest.Doc("long", "a", string(make([]byte, 5000)), "b", 3))
	for i, doc := range docs {
		docs[i] = with(doc, "_x", i)
	}
	var want int64
	for _, doc := range docs {
		n, err := sizer.IndexSize(s.Context(), doc)
		if errors.Is(err, errors.ErrUnsupported) {
			s.Skip("the storage does not tell sizes of documents in indexes")
		}
		s.Must(err)
		want += n
		s.Insert(c, doc)
	}
	indexBytes(s, c, want)
	n, err := sizer.IndexSize(s.Context(), docs[20])
	s.Must(err)
	m, err := sizer.IndexSize(s.Context(), docs[21])
	s.Must(err)
	s.Must(c.Delete(s.Context(), docdb.ID(docs[20]), suite.All))
	s.Must(c.Replace(s.Context(), docdb.ID(docs[21]), suite.All, with(docs[20], "_id", "one")))
	k, err := sizer.IndexSize(s.Context(), with(docs[20], "_id", "one"))
	s.Must(err)
	indexBytes(s, c, want-n-m+k)
	_, err = sizer.IndexSize(s.Context(), bsontest.Doc(1, "a", bson.A{1}, "b", bson.A{1}))
	s.Fails(err, docdb.ErrInvalid)
}

// with returns a document with a field set to a value.
func with(doc bson.Raw, name string, value any) bson.Raw {
	var d bson.D
	for n, v := range wire.Fields(doc) {
		if string(n) != name {
			d = append(d, bson.E{Key: string(n), Value: v})
		}
	}
	if name == "_id" {
		return bsontest.Raw(append(bson.D{{Key: name, Value: value}}, d...))
	}
	return bsontest.Raw(append(d, bson.E{Key: name, Value: value}))
}

// indexBytes asserts the size of all indexes.
func indexBytes(s *suite.T, c docdb.Collection, want int64) {
	s.Helper()
	size, err := c.(docdb.Sizer).Size(s.Context())
	s.Must(err)
	sum := int64(0)
	for _, n := range size.Indexes {
		sum += n
	}
	if size.IndexBytes != want || sum != want {
		s.Errorf("the indexes have %d bytes, %d in all, want %d", sum, size.IndexBytes, want)
	}
}
