package embedded

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
)

// The limits of InsertMany.
const (
	maxBulk      = 1000
	maxBulkBytes = 48 << 20
)

// InsertMany implements docdb.Collection. It holds the keys of documents until
// the last one is on disk, so that one sync serves all: of all documents, or of so many as have
// maxRun bytes of entries.
func (c collection) InsertMany(ctx context.Context, docs []bson.Raw) ([]error, error) {
	size := 0
	for _, doc := range docs {
		size += len(doc)
	}
	if len(docs) > maxBulk || size > maxBulkBytes {
		return nil, fmt.Errorf("%w: %d documents of %d bytes at once, the limits are %d and %d",
			docdb.ErrTooLarge, len(docs), size, maxBulk, maxBulkBytes)
	}
	errs := make([]error, len(docs))
	err := c.write(ctx, func(co *catalog.Collection, state *catalog.State) error {
		if state == nil {
			return c.noCollection()
		}
		m := c.e.writes.NewRecorder(ctx, state)
		defer m.Release()
		if err := m.Begin(); err != nil {
			return err
		}
		for done := 0; done < len(docs); {
			n, err := m.InsertRun(co, docs[done:], errs[done:])
			if err != nil {
				return err
			}
			done += n
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return errs, nil
}
