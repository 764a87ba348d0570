package mongodb

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"github.com/orgd/orgd/internal/docdb"
)

type collection struct {
	database *database
	ns       string
	coll     *mongo.Collection
}

func (c *collection) engine() *Engine { return c.database.engine }

func (c *collection) validate() error { return c.database.validate(c.coll.Name()) }

// Insert implements docdb.Collection. Into a collection that does not exist it
// creates it, as MongoDB does.
func (c *collection) Insert(ctx context.Context, doc bson.Raw) error {
	if err := c.validate(); err != nil {
		return err
	}
	if err := docdb.Validate(doc); err != nil {
		return err
	}
	if len(doc) > maxBatched {
		return c.insertOne(ctx, doc)
	}
	_, err := c.engine().inserts.do(ctx, c.ns, doc, len(doc), func() (struct{}, error) {
		return struct{}{}, c.insertOne(ctx, doc)
	}, c.insertBatch)
	what := "insert into " + c.ns + ": "
	switch err {
	case errNotBegun:
		return &fault{is: docdb.ErrUnavailable, cause: ctx.Err(), text: what + ctx.Err().Error()}
	case errBegun:
		late := context.DeadlineExceeded
		return &fault{is: docdb.ErrOutcomeUnknown, cause: late, text: what + late.Error()}
	}
	return err
}

func (c *collection) insertOne(ctx context.Context, doc bson.Raw) error {
	return c.engine().write(ctx, "insert into "+c.ns, func(ctx context.Context) error {
		_, err := c.coll.InsertOne(ctx, doc)
		return c.duplicate(ctx, doc, err)
	})
}

// Get implements docdb.Collection.
func (c *collection) Get(ctx context.Context, id bson.RawValue) (bson.Raw, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	// MongoDB promises linearizable reads of one document each.
	if c.engine().linearizable || !batchable(id) {
		return c.getOne(ctx, id)
	}
	doc, err := c.engine().gets.do(ctx, c.ns, id, 0, func() (bson.Raw, error) { return c.getOne(ctx, id) }, c.getBatch)
	if err == errNotBegun || err == errBegun {
		return nil, &fault{is: docdb.ErrUnavailable, cause: ctx.Err(), text: "get from " + c.ns + ": " + ctx.Err().Error()}
	}
	return doc, err
}

func (c *collection) getOne(ctx context.Context, id bson.RawValue) (bson.Raw, error) {
	coll := c.coll
	if c.engine().linearizable {
		coll = coll.Clone(options.Collection().SetReadConcern(readconcern.Linearizable()))
	}
	var doc bson.Raw
	err := c.engine().read(ctx, "get from "+c.ns, func(ctx context.Context) error {
		if docdb.ValidateID(id) != nil {
			return docdb.ErrNotFound // the server would refuse to compare with some of these
		}
		found, err := coll.FindOne(ctx, byID(id)).Raw()
		if errors.Is(err, mongo.ErrNoDocuments) {
			return docdb.ErrNotFound
		}
		if err == nil {
			doc, err = pick([]bson.Raw{found}, id) // a collation may find another
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return doc, nil
}

// Replace implements docdb.Collection.
func (c *collection) Replace(ctx context.Context, id bson.RawValue, when docdb.Filter, doc bson.Raw) error {
	if err := c.validate(); err != nil {
		return err
	}
	if err := docdb.Validate(doc); err != nil {
		return err
	}
	if docdb.Compare(docdb.ID(doc), id) != 0 {
		return &fault{is: docdb.ErrInvalid, text: "replace in " + c.ns + ": the document has another _id"}
	}
	return c.engine().write(ctx, "replace in "+c.ns, func(ctx context.Context) error {
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
func (c *collection) Delete(ctx context.Context, id bson.RawValue, when docdb.Filter) error {
	if err := c.validate(); err != nil {
		return err
	}
	return c.engine().write(ctx, "delete from "+c.ns, func(ctx context.Context) error {
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

// Count implements docdb.Collection. It looks at the documents: the count in a
// collection's metadata is wrong after a crash and, on a sharded cluster, while
// documents migrate.
func (c *collection) Count(ctx context.Context, f docdb.Filter) (int64, error) {
	if err := c.validate(); err != nil {
		return 0, err
	}
	leave, err := c.scan(ctx)
	if err != nil {
		return 0, c.engine().readFault(ctx, "count "+c.ns, err)
	}
	defer leave()
	var n int64
	err = c.engine().read(ctx, "count "+c.ns, func(ctx context.Context) error {
		var err error
		n, err = c.coll.CountDocuments(ctx, f.Document())
		return err
	})
	return n, err
}

// byID selects the document with that _id. $eq, because an _id may be a document
// whose names would read as operators without it.
func byID(id bson.RawValue) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$eq", Value: id}}}}
}

// byIDWhen selects it under a condition. The _id stands at the top so that a
// sharded cluster finds the one shard to ask; so does the condition, because not every
// compatible server looks at the _id first when there is an $and beside it.
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
