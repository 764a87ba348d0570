// Package collection is docdb.Collection on a collection of MongoDB: writes, reads, streams,
// indexes, and which index a duplicate key is of.
package collection

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb/batch"
	"github.com/orgd/orgd/internal/docdb/mongodb/call"
	"github.com/orgd/orgd/internal/docdb/mongodb/index"
	"github.com/orgd/orgd/internal/docdb/mongodb/outcome"
	"github.com/orgd/orgd/internal/fair"
)

// Shared is what the collections of one engine share.
type Shared struct {
	calls        *call.Runner
	linearizable bool // whether Get is
	Orders       index.Orders
	inserts      batch.Group[bson.Raw, struct{}]
	gets         batch.Group[bson.RawValue, bson.Raw]
	Scans        *fair.Queue
}

// NewShared returns what collections share: how calls run, the places for scans, and whether Get
// is linearizable.
func NewShared(calls *call.Runner, scans *fair.Queue, linearizable bool) *Shared {
	s := &Shared{calls: calls, Scans: scans, linearizable: linearizable}
	s.inserts.Writes = true
	return s
}

// Collection is a docdb.Collection on a collection of MongoDB.
type Collection struct {
	shared    *Shared
	Namespace string // database.collection
	coll      *mongo.Collection
}

// New returns a collection, which may not exist; Validate says whether its names are valid.
func New(s *Shared, coll *mongo.Collection) *Collection {
	return &Collection{shared: s, Namespace: coll.Database().Name() + "." + coll.Name(), coll: coll}
}

// Validate refuses a collection whose names docdb does not permit.
func (c *Collection) Validate() error {
	return ValidateNames(c.coll.Database().Name(), c.coll.Name())
}

// reserved are the databases of MongoDB itself; "local" is not even replicated.
var reserved = []string{"admin", "config", "local"}

// ValidateNames refuses names that docdb does not permit, and MongoDB's own databases.
func ValidateNames(database, collection string) error {
	if err := docdb.ValidateDatabaseName(database); err != nil {
		return err
	}
	if slices.Contains(reserved, strings.ToLower(database)) {
		return &outcome.Error{Kind: docdb.ErrInvalid, Text: "the database " + database + " is MongoDB's own"}
	}
	return docdb.ValidateCollectionName(collection)
}

// Majority is the write concern of commands, to which unlike to writes the driver does not add
// the client's.
var Majority = bson.E{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}, {Key: "j", Value: true}}}

// Insert implements docdb.Collection. It creates a collection that does not exist, as MongoDB
// does.
func (c *Collection) Insert(ctx context.Context, doc bson.Raw) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if err := docdb.Validate(doc); err != nil {
		return err
	}
	if len(doc) > batch.MaxItem {
		return c.insertOne(ctx, doc)
	}
	_, err := c.shared.inserts.Do(ctx, c.Namespace, doc, len(doc), func() (struct{}, error) {
		return struct{}{}, c.insertOne(ctx, doc)
	}, c.insertBatch)
	what := "insert into " + c.Namespace + ": "
	switch err {
	case batch.ErrNotBegun:
		return &outcome.Error{Kind: docdb.ErrUnavailable, Cause: ctx.Err(), Text: what + ctx.Err().Error()}
	case batch.ErrBegun:
		late := context.DeadlineExceeded
		return &outcome.Error{Kind: docdb.ErrOutcomeUnknown, Cause: late, Text: what + late.Error()}
	}
	return err
}

func (c *Collection) insertOne(ctx context.Context, doc bson.Raw) error {
	return c.shared.calls.Write(ctx, "insert into "+c.Namespace, func(ctx context.Context) error {
		_, err := c.coll.InsertOne(ctx, doc)
		return c.duplicate(ctx, doc, err)
	})
}

// Get implements docdb.Collection.
func (c *Collection) Get(ctx context.Context, id bson.RawValue) (bson.Raw, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	// MongoDB promises linearizable reads of single documents only.
	if c.shared.linearizable || !batchable(id) {
		return c.getOne(ctx, id)
	}
	doc, err := c.shared.gets.Do(ctx, c.Namespace, id, 0, func() (bson.Raw, error) { return c.getOne(ctx, id) }, c.getBatch)
	if err == batch.ErrNotBegun || err == batch.ErrBegun {
		return nil, &outcome.Error{Kind: docdb.ErrUnavailable, Cause: ctx.Err(), Text: "get from " + c.Namespace + ": " + ctx.Err().Error()}
	}
	return doc, err
}

func (c *Collection) getOne(ctx context.Context, id bson.RawValue) (bson.Raw, error) {
	coll := c.coll
	if c.shared.linearizable {
		coll = coll.Clone(options.Collection().SetReadConcern(readconcern.Linearizable()))
	}
	var doc bson.Raw
	err := c.shared.calls.Read(ctx, "get from "+c.Namespace, func(ctx context.Context) error {
		if docdb.ValidateID(id) != nil {
			return docdb.ErrNotFound // the server refuses some of these in a filter
		}
		found, err := coll.FindOne(ctx, byID(id)).Raw()
		if errors.Is(err, mongo.ErrNoDocuments) {
			return docdb.ErrNotFound
		}
		if err == nil {
			doc, err = pick([]bson.Raw{found}, id) // a collation may match another _id
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return doc, nil
}

// Replace implements docdb.Collection.
func (c *Collection) Replace(ctx context.Context, id bson.RawValue, when docdb.Filter, doc bson.Raw) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if err := docdb.Validate(doc); err != nil {
		return err
	}
	if docdb.Compare(docdb.ID(doc), id) != 0 {
		return &outcome.Error{Kind: docdb.ErrInvalid, Text: "replace in " + c.Namespace + ": the document has another _id"}
	}
	return c.shared.calls.Write(ctx, "replace in "+c.Namespace, func(ctx context.Context) error {
		result, err := c.coll.ReplaceOne(ctx, byIDWhen(id, when), doc)
		if err != nil {
			return c.duplicate(ctx, nil, err)
		}
		if result.MatchedCount == 0 {
			return docdb.ErrNoMatch
		}
		return nil
	})
}

// Delete implements docdb.Collection.
func (c *Collection) Delete(ctx context.Context, id bson.RawValue, when docdb.Filter) error {
	if err := c.Validate(); err != nil {
		return err
	}
	return c.shared.calls.Write(ctx, "delete from "+c.Namespace, func(ctx context.Context) error {
		if docdb.ValidateID(id) != nil {
			return docdb.ErrNoMatch
		}
		result, err := c.coll.DeleteOne(ctx, byIDWhen(id, when))
		if err != nil {
			return err
		}
		if result.DeletedCount == 0 {
			return docdb.ErrNoMatch
		}
		return nil
	})
}

// Count implements docdb.Collection. It counts the documents themselves: the count in a
// collection's metadata is wrong after a crash and, on a sharded cluster, while documents migrate.
func (c *Collection) Count(ctx context.Context, f docdb.Filter) (int64, error) {
	if err := c.Validate(); err != nil {
		return 0, err
	}
	leave, err := c.scan(ctx)
	if err != nil {
		return 0, c.shared.calls.Errors.Read(ctx, "count "+c.Namespace, err)
	}
	defer leave()
	var n int64
	err = c.shared.calls.Read(ctx, "count "+c.Namespace, func(ctx context.Context) error {
		var err error
		n, err = c.coll.CountDocuments(ctx, f.Document())
		return err
	})
	return n, err
}

// byID selects the document with that _id. It uses $eq because an _id may be a document whose
// field names would be taken for operators.
func byID(id bson.RawValue) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$eq", Value: id}}}}
}

// byIDWhen selects the document with that _id under a condition. The _id is at the top level so
// that a sharded cluster asks one shard only. The condition is at the top level too, because not
// every compatible server uses the index on _id when there is an $and beside it.
func byIDWhen(id bson.RawValue, when docdb.Filter) bson.D {
	filter := byID(id)
	condition := when.Document()
	elements, err := condition.Elements()
	if _, lookupErr := condition.LookupErr("_id"); err != nil || lookupErr == nil {
		return append(filter, bson.E{Key: "$and", Value: bson.A{condition}})
	}
	for _, e := range elements {
		filter = append(filter, bson.E{Key: e.Key(), Value: e.Value()})
	}
	return filter
}
