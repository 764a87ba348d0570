package collection

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb/batch"
)

// insertBatch carries out a batch of Inserts.
func (c *Collection) insertBatch(calls []*batch.Call[bson.Raw, struct{}]) {
	docs := make([]bson.Raw, len(calls))
	for i, x := range calls {
		docs[i] = x.Query
	}
	errs, err := c.InsertMany(context.Background(), docs)
	for i, x := range calls {
		if x.Err = err; err == nil {
			x.Err = errs[i]
		}
	}
}

// getBatch carries out a batch of Gets.
func (c *Collection) getBatch(calls []*batch.Call[bson.RawValue, bson.Raw]) {
	ids := make(bson.A, len(calls))
	for i, x := range calls {
		ids[i] = x.Query
	}
	var docs []bson.Raw
	err := c.shared.calls.Read(context.Background(), "get from "+c.Namespace, func(ctx context.Context) error {
		docs = nil
		cursor, err := c.coll.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
		if err != nil {
			return err
		}
		return cursor.All(ctx, &docs)
	})
	for _, x := range calls {
		if x.Err = err; err == nil {
			x.Answer, x.Err = pick(docs, x.Query)
		}
	}
}

// pick returns a copy of the document with that _id.
func pick(docs []bson.Raw, id bson.RawValue) (bson.Raw, error) {
	for _, doc := range docs {
		if docdb.Compare(docdb.ID(doc), id) == 0 {
			return slices.Clone(doc), nil
		}
	}
	return nil, docdb.ErrNotFound
}

// batchable reports whether $in finds exactly the documents with that _id: it takes a regular
// expression for a pattern, for example.
func batchable(id bson.RawValue) bool {
	switch id.Type {
	case bson.TypeString, bson.TypeObjectID, bson.TypeInt32, bson.TypeInt64, bson.TypeBinary, bson.TypeDateTime:
		return true
	}
	return false
}
