package mongodb

import (
	"context"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb/collection"
)

// CarryIndexes implements docdb.Database. It sends the server's own specifications of the indexes
// back to it, so that indexes that users made with MongoDB's tools (sparse, partial, text, TTL,
// with a collation) are carried as well. An index that is there already makes no difference to the server.
func (d *database) CarryIndexes(ctx context.Context, from, to string) error {
	source, target := d.open(from), d.open(to)
	for _, c := range []*collection.Collection{source, target} {
		if err := c.Validate(); err != nil {
			return err
		}
	}
	what := "carry the indexes of " + source.Namespace + " to " + target.Namespace
	specs := bson.A{}
	err := d.engine.calls.Read(ctx, what, func(ctx context.Context) error {
		there, err := target.Specs(ctx)
		if err != nil {
			return err
		}
		if len(there) == 0 {
			return docdb.ErrNoCollection // createIndexes would create it
		}
		all, err := source.Specs(ctx)
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
	if err := d.engine.calls.Enter(); err != nil {
		return err
	}
	defer d.engine.calls.Leave()
	return d.engine.calls.MakeIndexes(ctx, what, func(ctx context.Context) error {
		return d.db.RunCommand(ctx, bson.D{{Key: "createIndexes", Value: to}, {Key: "indexes", Value: specs}, collection.Majority}).Err()
	})
}

// portable returns an index's specification without the fields that tie it to its collection.
func portable(spec bson.Raw) bson.D {
	var d bson.D
	elements, _ := spec.Elements() // the server's own, which Lookup has read before
	for _, e := range elements {
		if key := e.Key(); key != "ns" && key != "background" {
			d = append(d, bson.E{Key: key, Value: e.Value()})
		}
	}
	return d
}

// carried are the options of a collection that collMod can set.
var carried = []string{"validator", "validationLevel", "validationAction", "changeStreamPreAndPostImages"}

// CarryOptions implements docdb.Database. The validator that Create has put there means nothing,
// and is not carried.
func (d *database) CarryOptions(ctx context.Context, from, to string) error {
	for _, name := range []string{from, to} {
		if err := d.validate(name); err != nil {
			return err
		}
	}
	var set bson.D
	err := d.engine.calls.Read(ctx, "read the options of "+d.name+"."+from, func(ctx context.Context) error {
		found, err := d.db.ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: from}})
		if err != nil || len(found) == 0 {
			return err
		}
		set = nil
		for _, name := range carried {
			if v, err := found[0].Options.LookupErr(name); err == nil {
				set = append(set, bson.E{Key: name, Value: v})
			}
		}
		if level, _ := found[0].Options.Lookup("validationLevel").StringValueOK(); level == "off" {
			set = slices.DeleteFunc(set, func(e bson.E) bool { return strings.HasPrefix(e.Key, "valid") })
		}
		return nil
	})
	if err != nil || len(set) == 0 {
		return err
	}
	return d.command(ctx, "collMod", to, set...)
}
