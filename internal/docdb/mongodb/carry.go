package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// CarryIndexes implements docdb.Database. It sends the server's own descriptions
// of the indexes back to it, so that what users made with MongoDB's tools (sparse,
// partial, text, TTL, with a collation) is carried as well. The server takes an
// index that is there already, the one on _id among them, for done.
func (d *database) CarryIndexes(ctx context.Context, from, to string) error {
	source, target := d.open(from), d.open(to)
	for _, c := range []*collection{source, target} {
		if err := c.validate(); err != nil {
			return err
		}
	}
	what := "carry the indexes of " + from + " to " + to
	specs := bson.A{}
	err := d.engine.read(ctx, what, func(ctx context.Context) error {
		there, err := target.specs(ctx)
		if err != nil {
			return err
		}
		if len(there) == 0 {
			return docdb.ErrNoCollection // createIndexes would create it
		}
		all, err := source.specs(ctx)
		for _, spec := range all {
			if name, _ := spec.Lookup("name").StringValueOK(); name != docdb.IDIndex {
				specs = append(specs, portable(spec))
			}
		}
		return err
	})
	if err != nil || len(specs) == 0 {
		return err
	}
	if err := d.engine.enter(); err != nil {
		return err
	}
	defer d.engine.leave()
	return d.engine.writeUnbounded(ctx, ctx, what, func(ctx context.Context) error {
		return d.db.RunCommand(ctx, bson.D{{Key: "createIndexes", Value: to}, {Key: "indexes", Value: specs}, majority}).Err()
	})
}

// portable is an index's description without what ties it to its collection.
func portable(spec bson.Raw) bson.D {
	var d bson.D
	elements, _ := spec.Elements() // the server's own, and read before
	for _, e := range elements {
		if key := e.Key(); key != "ns" && key != "background" {
			d = append(d, bson.E{Key: key, Value: e.Value()})
		}
	}
	return d
}
