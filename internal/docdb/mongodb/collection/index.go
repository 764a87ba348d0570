package collection

import (
	"cmp"
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb/index"
	"github.com/orgd/orgd/internal/docdb/mongodb/outcome"
)

// Specs returns the server's specifications of all indexes, within a call.
func (c *Collection) Specs(ctx context.Context) ([]bson.Raw, error) {
	cursor, err := c.coll.Indexes().List(ctx)
	if err != nil {
		return nil, err
	}
	var specs []bson.Raw
	err = cursor.All(ctx, &specs)
	return specs, err
}

// list returns all indexes, within a call. A collection that exists has at least the index on
// _id, so an empty list says that there is no collection.
func (c *Collection) list(ctx context.Context) ([]index.Spec, error) {
	specs, err := c.Specs(ctx)
	if err != nil {
		return nil, err
	}
	indexes := make([]index.Spec, len(specs))
	for i, spec := range specs {
		indexes[i] = index.Parse(spec)
	}
	return indexes, nil
}

// Indexes implements docdb.Collection.
func (c *Collection) Indexes(ctx context.Context) ([]docdb.Index, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	indexes := []docdb.Index{}
	err := c.shared.calls.Read(ctx, "list the indexes of "+c.Namespace, func(ctx context.Context) error {
		all, err := c.list(ctx)
		for _, p := range all {
			if p.Ours {
				indexes = append(indexes, p.Index)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(indexes, func(a, b docdb.Index) int { return cmp.Compare(a.Name, b.Name) })
	return indexes, nil
}

// CreateIndex implements docdb.Collection. It takes as long as the server needs to index the
// documents, unless the context has a deadline. When the deadline passes, or the engine is closed,
// the server may go on building the index.
//
// MongoDB would create a missing collection, and admits a plain and a unique index of the same
// keys, which differ for it. So CreateIndex lists the indexes first. Between the list and the
// command the collection may be dropped: then it comes back, empty, with this index. Or the other
// index of the same keys may be created: then there are both, which is harmless.
func (c *Collection) CreateIndex(ctx context.Context, ix docdb.Index) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if err := docdb.ValidateIndex(ix); err != nil {
		return err
	}
	calls := c.shared.calls
	if err := calls.Enter(); err != nil {
		return err
	}
	defer calls.Leave()
	what := "create index " + ix.Name + " on " + c.Namespace
	bounded, cancel := calls.Bounded(ctx)
	defer cancel()
	all, err := c.list(bounded)
	if err != nil {
		return calls.Errors.Read(ctx, what, err)
	}
	if err := index.Admit(all, ix); err != nil {
		return calls.Errors.Read(ctx, what, err)
	}
	return calls.MakeIndexes(ctx, what, func(ctx context.Context) error {
		return c.createIndex(ctx, ix)
	})
}

func (c *Collection) createIndex(ctx context.Context, ix docdb.Index) error {
	spec := bson.D{{Key: "key", Value: index.Pattern(ix.Keys, ix.Unique)}, {Key: "name", Value: ix.Name}}
	if ix.Unique {
		spec = append(spec, bson.E{Key: "unique", Value: true})
	}
	err := c.coll.Database().RunCommand(ctx, bson.D{
		{Key: "createIndexes", Value: c.coll.Name()}, {Key: "indexes", Value: bson.A{spec}}, Majority,
	}).Err()
	if outcome.IsDuplicate(outcome.Code(err)) {
		return &docdb.DuplicateError{Index: ix.Name}
	}
	return err
}

// DropIndex implements docdb.Collection.
func (c *Collection) DropIndex(ctx context.Context, name string) error {
	if err := c.Validate(); err != nil {
		return err
	}
	return c.shared.calls.Write(ctx, "drop an index of "+c.Namespace, func(ctx context.Context) error {
		// Only an index in the list is dropped: not "*", which means all indexes, nor an index
		// that docdb does not see.
		all, err := c.list(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(all, func(p index.Spec) bool { return p.Ours && p.Name == name }) {
			return docdb.ErrNotFound
		}
		defer c.shared.Orders.Forget(c.Namespace)
		err = c.coll.Database().RunCommand(ctx, bson.D{
			{Key: "dropIndexes", Value: c.coll.Name()}, {Key: "index", Value: name}, Majority,
		}).Err()
		if outcome.HasCode(err, outcome.NamespaceNotFound) {
			return docdb.ErrNotFound
		}
		return err
	})
}

var _ docdb.Collection = (*Collection)(nil)
