package indexes

import (
	"errors"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
)

// Sizes are about docdb.Sizer, for collections that implement it.
var Sizes = suite.Cases{
	"the size is that of the documents as BSON, and grows with indexes": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"))
		sizer, ok := c.(docdb.Sizer)
		if !ok {
			s.Skip("the engine does not tell sizes")
		}
		docs, bytes := someOf(20), int64(0)
		for _, doc := range docs {
			bytes += int64(len(doc))
		}
		s.Insert(c, docs...)
		size, err := sizer.Size(s.Context())
		if errors.Is(err, errors.ErrUnsupported) {
			s.Skip("the storage does not tell sizes")
		}
		s.Must(err)
		if size.Bytes != bytes || len(size.Indexes) != 1 || size.Indexes["i"] <= 0 {
			s.Errorf("got %+v, the documents have %d bytes", size, bytes)
		}
		for _, doc := range docs {
			s.Must(c.Delete(s.Context(), docdb.ID(doc), suite.All))
		}
		size, err = sizer.Size(s.Context())
		s.Must(err)
		if size.Bytes != 0 {
			s.Errorf("the empty collection has %+v", size)
		}
	},
	"the sizes of documents in indexes add up to the sizes of the indexes": indexSizes,
	"a collection that does not exist has no size": func(s *suite.T) {
		if sizer, ok := s.DB.Collection("missing").(docdb.Sizer); ok {
			size, err := sizer.Size(s.Context())
			if errors.Is(err, errors.ErrUnsupported) {
				s.Skip("the storage does not tell sizes")
			}
			s.Must(err)
			if size.Bytes != 0 || len(size.Indexes) != 0 {
				s.Errorf("got %+v", size)
			}
		}
	},
}

// someOf returns n documents of several sizes.
func someOf(n int) []bson.Raw {
	var docs []bson.Raw
	for i := range n {
		docs = append(docs, bsontest.Doc(i, "a", strings.Repeat("x", 50*i)))
	}
	return docs
}
