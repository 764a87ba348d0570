package collection

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb/index"
)

var idOrder = bson.D{{Key: "_id", Value: int32(1)}}

// order returns the key pattern of the server's index for an order. It is the hint of a find and,
// directed, its sort, so the server walks that index and never sorts; but see narrows. It is nil
// if the collection does not exist, and the error is docdb.ErrNoIndex if it has no such index.
//
// Whether the index is unique is remembered. fresh asks the server again, after it has refused
// the hint.
func (c *Collection) order(ctx context.Context, keys []docdb.Key, fresh bool) (bson.D, error) {
	if len(keys) == 0 && !fresh {
		return idOrder, nil
	}
	if unique, ok := c.shared.Orders.Get(c.Namespace, keys); ok && !fresh {
		return index.Pattern(keys, unique), nil
	}
	all, err := c.list(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(keys) == 0 && len(all) == 0:
		return nil, nil
	case len(keys) == 0:
		return idOrder, nil
	}
	for _, p := range all {
		if p.Ours && slices.Equal(p.Index.Keys, keys) {
			c.shared.Orders.Put(c.Namespace, keys, p.Unique)
			return index.Pattern(keys, p.Unique), nil
		}
	}
	return nil, docdb.ErrNoIndex
}
