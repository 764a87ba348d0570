package docdbtest

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// indexSizes is about docdb.IndexSizer, for collections that are one.
func indexSizes(s *suite) {
	c := s.collection(index("i", "a"), unique("u", "b", "_x"), index("k", "-a", "b"))
	sizer, ok := c.(docdb.IndexSizer)
	if !ok {
		s.Skip("the engine does not tell sizes of documents in indexes")
	}
	docs := append(s.someOf(20), Doc("many", "a", bson.A{1, 2, 3, 2.0}, "b", 1), Doc("one", "a", bson.A{}, "b", 2), Doc("long", "a", string(make([]byte, 5000)), "b", 3))
	for i, doc := range docs {
		docs[i] = with(doc, "_x", i)
	}
	var want int64
	for _, doc := range docs {
		n, err := sizer.IndexSize(s.Context(), doc)
		if errors.Is(err, errors.ErrUnsupported) {
			s.Skip("the storage does not tell sizes of documents in indexes")
		}
		s.must(err)
		want += n
		s.insert(c, doc)
	}
	s.indexBytes(c, want)
	n, err := sizer.IndexSize(s.Context(), docs[20])
	s.must(err)
	m, err := sizer.IndexSize(s.Context(), docs[21])
	s.must(err)
	s.must(c.Delete(s.Context(), docdb.ID(docs[20]), all))
	s.must(c.Replace(s.Context(), docdb.ID(docs[21]), all, with(docs[20], "_id", "one")))
	k, err := sizer.IndexSize(s.Context(), with(docs[20], "_id", "one"))
	s.must(err)
	s.indexBytes(c, want-n-m+k)
	_, err = sizer.IndexSize(s.Context(), Doc(1, "a", bson.A{1}, "b", bson.A{1}))
	s.fails(err, docdb.ErrInvalid)
}

// with returns a document with another value of a field, or with one more.
func with(doc bson.Raw, name string, value any) bson.Raw {
	var d bson.D
	for n, v := range wire.Fields(doc) {
		if string(n) != name {
			d = append(d, bson.E{Key: string(n), Value: v})
		}
	}
	if name == "_id" {
		return Raw(append(bson.D{{Key: name, Value: value}}, d...))
	}
	return Raw(append(d, bson.E{Key: name, Value: value}))
}

// indexBytes asks for the size of all indexes.
func (s *suite) indexBytes(c docdb.Collection, want int64) {
	s.Helper()
	size, err := c.(docdb.Sizer).Size(s.Context())
	s.must(err)
	sum := int64(0)
	for _, n := range size.Indexes {
		sum += n
	}
	if size.IndexBytes != want || sum != want {
		s.Errorf("the indexes have %d bytes, %d in all, want %d", sum, size.IndexBytes, want)
	}
}

// IndexSize implements docdb.IndexSizer if the collection beneath does. It is no message to
// a storage, and so never fails.
func (c faultyCollection) IndexSize(ctx context.Context, doc bson.Raw) (int64, error) {
	sizer, ok := c.c.(docdb.IndexSizer)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return sizer.IndexSize(ctx, doc)
}
