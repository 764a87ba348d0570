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
)

// majority is the write concern of commands, which unlike writes do not take the
// client's.
var majority = bson.E{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}, {Key: "j", Value: true}}}

// reserved are the databases of MongoDB itself; "local" is not even replicated.
var reserved = []string{"admin", "config", "local"}

type database struct {
	engine *Engine
	name   string
	db     *mongo.Database
}

// validate refuses names that docdb does not have.
func (d *database) validate(collection string) error {
	if err := docdb.ValidateDatabaseName(d.name); err != nil {
		return err
	}
	if slices.Contains(reserved, strings.ToLower(d.name)) {
		return &fault{is: docdb.ErrInvalid, text: "the database " + d.name + " is MongoDB's own"}
	}
	return docdb.ValidateCollectionName(collection)
}

// Create implements docdb.Database.
//
// From MongoDB 7.0 on (on sharded clusters from 4.0 on) creating a collection
// that is there with the same options succeeds, so that two racing calls would both be told that they
// made it. Therefore each call asks for options of its own: a validator with a
// fresh id in it, which any other call's differs from, so the server refuses.
// It is never evaluated, since validationLevel is off.
//
// Not every compatible server has validators. On one that refuses them a collection is
// created without, once it is known not to be there. There two racing calls may both be
// told that they made it, if the server does as MongoDB 7.0 does. Therefore nothing above
// may rely on Create alone to decide who a name belongs to.
func (d *database) Create(ctx context.Context, name string) error {
	if err := d.validate(name); err != nil {
		return err
	}
	return d.engine.write(ctx, "create "+d.name+"."+name, func(ctx context.Context) error {
		if d.engine.plain.Load() {
			return d.createPlain(ctx, name)
		}
		nonce := bson.D{{Key: "_id", Value: bson.D{{Key: "$ne", Value: bson.NewObjectID()}}}}
		err := d.run(ctx, "create", name, bson.E{Key: "validator", Value: nonce}, bson.E{Key: "validationLevel", Value: "off"})
		if !refusesOptions(err) {
			return err
		}
		plain := d.createPlain(ctx, name)
		if plain == nil {
			d.engine.plain.Store(true) // that was it
		}
		return plain
	})
}

// refusesOptions reports whether a server may have refused a command for its options.
// One may as well have refused it for lack of a privilege: Atlas has one code for both.
func refusesOptions(err error) bool {
	code := codeOf(err)
	return sentinels[code] == docdb.ErrUnsupported || code == codeBadValue || code == codeAtlas
}

// createPlain creates a collection that is not there without any option.
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
	d.engine.orders.forget(d.name + "." + name)
	if errors.Is(err, docdb.ErrNoCollection) {
		return nil
	}
	return err
}

// command runs a command that changes a collection as a whole.
func (d *database) command(ctx context.Context, command, collection string, more ...bson.E) error {
	return d.engine.write(ctx, command+" "+d.name+"."+collection, func(ctx context.Context) error {
		return d.run(ctx, command, collection, more...)
	})
}

// run sends such a command within a call.
func (d *database) run(ctx context.Context, command, collection string, more ...bson.E) error {
	cmd := append(bson.D{{Key: command, Value: collection}}, append(more, majority)...)
	return d.db.RunCommand(ctx, cmd).Err()
}

// List implements docdb.Database. Views and MongoDB's own collections are left
// out, and what has a name that docdb does not have.
func (d *database) List(ctx context.Context, prefix string) ([]string, error) {
	if err := d.validate("any"); err != nil {
		return nil, err
	}
	names := []string{}
	if prefix != "" && docdb.ValidateCollectionName(strings.TrimRight(prefix, ".")) != nil {
		return names, nil // no collection's name begins so
	}
	filter := bson.D{{Key: "type", Value: "collection"}}
	if prefix != "" {
		// Not "name": {$regex: ...} with the prefix as it is: a dot would match anything.
		filter = append(filter, bson.E{Key: "name", Value: bson.Regex{Pattern: "^" + regexp.QuoteMeta(prefix)}})
	}
	err := d.engine.read(ctx, "list "+d.name, func(ctx context.Context) error {
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

func (d *database) open(name string) *collection {
	return &collection{database: d, ns: d.name + "." + name, coll: d.db.Collection(name)}
}
