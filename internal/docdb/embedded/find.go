package embedded

import (
	"context"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/scan"
)

// Find implements docdb.Collection. Close waits for it until the caller's loop
// ends.
func (c collection) Find(ctx context.Context, q docdb.Query) iter.Seq2[bson.Raw, error] {
	return func(yield func(bson.Raw, error) bool) {
		if err := c.e.store.Begin(ctx); err != nil {
			yield(nil, err)
			return
		}
		defer c.e.store.Leave()
		s, err := scan.New(ctx, c.source(), q)
		for err == nil && s.More() {
			var docs []bson.Raw
			docs, err = s.Next(ctx)
			for i, doc := range docs {
				if ctxErr := ctx.Err(); ctxErr != nil {
					err = ctxErr
					break
				}
				docs[i] = nil // the caller may let go of it before the page ends
				if !yield(doc, nil) {
					return
				}
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// Count implements docdb.Collection. Without a filter, and where an index on one path
// answers all of the filter, it reads no documents, but still all keys.
func (c collection) Count(ctx context.Context, f docdb.Filter) (int64, error) {
	if err := c.e.store.Begin(ctx); err != nil {
		return 0, err
	}
	defer c.e.store.Leave()
	return scan.Count(ctx, c.source(), f)
}

func (c collection) source() scan.Source {
	return scan.Source{Store: c.e.store, Catalog: c.e.catalog, Name: c.name, MaxWalk: c.e.maxWalk}
}
