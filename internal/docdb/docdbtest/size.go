package docdbtest

import (
	"context"
	"errors"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// sizeCases are the sentences of docdb.Sizer, for collections that are one.
var sizeCases = map[string]func(*suite){
	"the size is that of the documents as BSON, and grows with indexes": func(s *suite) {
		c := s.collection(index("i", "a"))
		sizer, ok := c.(docdb.Sizer)
		if !ok {
			s.Skip("the engine does not tell sizes")
		}
		docs, bytes := s.someOf(20), int64(0)
		for _, doc := range docs {
			bytes += int64(len(doc))
		}
		s.insert(c, docs...)
		size, err := sizer.Size(s.Context())
		if errors.Is(err, errors.ErrUnsupported) {
			s.Skip("the storage does not tell sizes")
		}
		s.must(err)
		if size.Bytes != bytes || len(size.Indexes) != 1 || size.Indexes["i"] <= 0 {
			s.Errorf("got %+v, the documents have %d bytes", size, bytes)
		}
		for _, doc := range docs {
			s.must(c.Delete(s.Context(), docdb.ID(doc), all))
		}
		size, err = sizer.Size(s.Context())
		s.must(err)
		if size.Bytes != 0 {
			s.Errorf("empty, it has %+v", size)
		}
	},
	"what documents have in indexes comes to what the indexes have": indexSizes,
	"a collection that does not exist has no size": func(s *suite) {
		if sizer, ok := s.db.Collection("missing").(docdb.Sizer); ok {
			size, err := sizer.Size(s.Context())
			if errors.Is(err, errors.ErrUnsupported) {
				s.Skip("the storage does not tell sizes")
			}
			s.must(err)
			if size.Bytes != 0 || len(size.Indexes) != 0 {
				s.Errorf("got %+v", size)
			}
		}
	},
}

// someOf makes documents of several sizes.
func (s *suite) someOf(n int) []bson.Raw {
	var docs []bson.Raw
	for i := range n {
		docs = append(docs, Doc(i, "a", strings.Repeat("x", 50*i)))
	}
	return docs
}

// Size implements docdb.Sizer if the collection beneath does.
func (c faultyCollection) Size(ctx context.Context) (docdb.Size, error) {
	sizer, ok := c.c.(docdb.Sizer)
	if !ok {
		return docdb.Size{}, errors.ErrUnsupported
	}
	return do(ctx, c.f, "Size", c.database, c.name, sizer.Size)
}
