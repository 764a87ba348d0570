package collection

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb/outcome"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// Size implements docdb.Sizer by the server's own statistics.
func (c *Collection) Size(ctx context.Context) (docdb.Size, error) {
	if err := c.Validate(); err != nil {
		return docdb.Size{}, err
	}
	size := docdb.Size{Indexes: map[string]int64{}}
	err := c.shared.calls.Read(ctx, "size of "+c.Namespace, func(ctx context.Context) error {
		stats, err := c.coll.Database().RunCommand(ctx, bson.D{{Key: "collStats", Value: c.coll.Name()}}).Raw()
		if outcome.HasCode(err, outcome.NamespaceNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return readSize(stats, &size)
	})
	if err != nil {
		return docdb.Size{}, err
	}
	return size, nil
}

func readSize(stats bson.Raw, size *docdb.Size) error {
	bytes, ok := stats.Lookup("size").AsInt64OK()
	if !ok {
		return &outcome.Error{Kind: docdb.ErrUnsupported, Text: "collStats has no size"}
	}
	size.Bytes = bytes
	if size.Documents, ok = stats.Lookup("count").AsInt64OK(); !ok {
		return &outcome.Error{Kind: docdb.ErrUnsupported, Text: "collStats has no count"}
	}
	indexes, _ := stats.Lookup("indexSizes").DocumentOK()
	for name, v := range wire.Fields(indexes) {
		if n, ok := v.AsInt64OK(); ok && string(name) != docdb.IDIndex {
			size.Indexes[string(name)] = n
			size.IndexBytes += n
		}
	}
	return nil
}

var _ docdb.Sizer = (*Collection)(nil)
