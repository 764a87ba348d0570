package mongodb

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb/collection"
	"github.com/orgd/orgd/internal/docdb/mongodb/outcome"
)

type database struct {
	engine *Engine
	name   string
	db     *mongo.Database
}

func (d *database) validate(name string) error { return collection.ValidateNames(d.name, name) }

// Create implements docdb.Database.
//
// From MongoDB 7.0 on (on sharded clusters from 4.0 on) the server lets a call succeed that
// creates an existing collection with the same options, so two racing calls would both be told
// that they created it. Therefore each call asks for options of its own: a validator with a
// fresh id in it, so that the server refuses the second call. The validator is never evaluated,
// since validationLevel is off.
//
// Not every compatible server has validators. On a server that refuses them, Create looks whether
// the collection is there, and creates it without a validator if not. Two racing calls may then
// both be told that they created it, if the server does as MongoDB 7.0 does. Therefore no code
// above may rely on Create alone to decide to whom a name belongs.
func (d *database) Create(ctx context.Context, name string) error {
	if err := d.validate(name); err != nil {
		return err
	}
	return d.engine.calls.Write(ctx, "create "+d.name+"."+name, func(ctx context.Context) error {
		if d.engine.plain.Load() {
			return d.createPlain(ctx, name)
		}
		nonce := bson.D{{Key: "_id", Value: bson.D{{Key: "$ne", Value: bson.NewObjectID()}}}}
		err := d.run(ctx, "create", name, bson.E{Key: "validator", Value: nonce}, bson.E{Key: "validationLevel", Value: "off"})
		if !outcome.RefusesOptions(err) {
			return err
		}
		plain := d.createPlain(ctx, name)
		if plain == nil {
			d.engine.plain.Store(true) // the validator was the reason
		}
		return plain
	})
}

// createPlain creates a collection without options, if it is not there.
func (d *database) createPlain(ctx context.Context, name string) error {
	there, err := d.db.ListCollectionNames(ctx, bson.D{{Key: "name", Value: name}})
	if err != nil {
		return err
	}
	if len(there) > 0 {
		return docdb.ErrExists
	}
	return d.run(ctx, "create", name)
}

// Drop implements docdb.Database.
func (d *database) Drop(ctx context.Context, name string) error {
	if err := d.validate(name); err != nil {
		return err
	}
	err := d.command(ctx, "drop", name)
	d.engine.shared.Orders.Forget(d.name + "." + name)
	if errors.Is(err, docdb.ErrNoCollection) {
		return nil
	}
	return err
}

// command runs a call that sends one command about a collection.
func (d *database) command(ctx context.Context, command, name string, more ...bson.E) error {
	return d.engine.calls.Write(ctx, command+" "+d.name+"."+name, func(ctx context.Context) error {
		return d.run(ctx, command, name, more...)
	})
}

// run sends a command about a collection, within a call.
func (d *database) run(ctx context.Context, command, name string, more ...bson.E) error {
	cmd := append(bson.D{{Key: command, Value: name}}, append(more, collection.Majority)...)
	return d.db.RunCommand(ctx, cmd).Err()
}

// List implements docdb.Database. It leaves out views, MongoDB's own collections, and
// collections whose names docdb does not permit.
func (d *database) List(ctx context.Context, prefix string) ([]string, error) {
	if err := d.validate("any"); err != nil {
		return nil, err
	}
	names := []string{}
	if prefix != "" && docdb.ValidateCollectionName(strings.TrimRight(prefix, ".")) != nil {
		return names, nil // no collection's name begins like this
	}
	filter := bson.D{{Key: "type", Value: "collection"}}
	if prefix != "" {
		// The prefix is quoted: a dot in it would match any character.
		filter = append(filter, bson.E{Key: "name", Value: bson.Regex{Pattern: "^" + regexp.QuoteMeta(prefix)}})
	}
	err := d.engine.calls.Read(ctx, "list "+d.name, func(ctx context.Context) error {
		found, err := d.db.ListCollectionNames(ctx, filter, options.ListCollections())
		for _, name := range found {
			if strings.HasPrefix(name, prefix) && docdb.ValidateCollectionName(name) == nil {
				names = append(names, name)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

// Collection implements docdb.Database.
func (d *database) Collection(name string) docdb.Collection { return d.open(name) }

func (d *database) open(name string) *collection.Collection {
	return collection.New(d.engine.shared, d.db.Collection(name))
}
