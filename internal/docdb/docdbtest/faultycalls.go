package docdbtest

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// do runs one call.
func do[T any](ctx context.Context, f *Faulty, op, database, collection string, call func(context.Context) (T, error)) (T, error) {
	x, err := f.begin(ctx, op, database, collection)
	if err != nil {
		var none T
		return none, err
	}
	return carryOut(ctx, f, x, call)
}

// act runs one call that answers with an error only.
func (f *Faulty) act(ctx context.Context, op, database, collection string, call func(context.Context) error) error {
	_, err := do(ctx, f, op, database, collection, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) })
	return err
}

// Database implements docdb.Engine.
func (f *Faulty) Database(name string) docdb.Database {
	return faultyDatabase{f, name, f.engine.Database(name)}
}

// Ping implements docdb.Engine.
func (f *Faulty) Ping(ctx context.Context) error { return f.act(ctx, "Ping", "", "", f.engine.Ping) }

// Close closes the engine beneath, unless this one is dead: a dead process
// closes nothing.
func (f *Faulty) Close() error {
	if err := f.answer(nil); err != nil {
		return err
	}
	return f.engine.Close()
}

type faultyDatabase struct {
	f    *Faulty
	name string
	db   docdb.Database
}

func (d faultyDatabase) Create(ctx context.Context, name string) error {
	return d.f.act(ctx, "Create", d.name, name, func(ctx context.Context) error { return d.db.Create(ctx, name) })
}

func (d faultyDatabase) Drop(ctx context.Context, name string) error {
	return d.f.act(ctx, "Drop", d.name, name, func(ctx context.Context) error { return d.db.Drop(ctx, name) })
}

func (d faultyDatabase) List(ctx context.Context, prefix string) ([]string, error) {
	return do(ctx, d.f, "List", d.name, prefix, func(ctx context.Context) ([]string, error) { return d.db.List(ctx, prefix) })
}

func (d faultyDatabase) CarryIndexes(ctx context.Context, from, to string) error {
	return d.f.act(ctx, "CarryIndexes", d.name, to, func(ctx context.Context) error { return d.db.CarryIndexes(ctx, from, to) })
}

func (d faultyDatabase) CarryOptions(ctx context.Context, from, to string) error {
	return d.f.act(ctx, "CarryOptions", d.name, to, func(ctx context.Context) error { return d.db.CarryOptions(ctx, from, to) })
}

func (d faultyDatabase) Collection(name string) docdb.Collection {
	return faultyCollection{d.f, d.name, name, d.db.Collection(name)}
}

type faultyCollection struct {
	f        *Faulty
	database string
	name     string
	c        docdb.Collection
}

func (c faultyCollection) act(ctx context.Context, op string, call func(context.Context) error) error {
	return c.f.act(ctx, op, c.database, c.name, call)
}

// Insert copies the document, as all that write do: a message that is late
// holds what it was when it was sent.
func (c faultyCollection) Insert(ctx context.Context, doc bson.Raw) error {
	doc = bytes.Clone(doc)
	return c.act(ctx, "Insert", func(ctx context.Context) error { return c.c.Insert(ctx, doc) })
}

func (c faultyCollection) InsertMany(ctx context.Context, docs []bson.Raw) ([]error, error) {
	x, err := c.f.begin(ctx, "InsertMany", c.database, c.name)
	if err != nil {
		return nil, err
	}
	if x.meets(Midway) {
		docs = docs[:len(docs)/2]
	}
	docs = slices.Clone(docs)
	for i, doc := range docs {
		docs[i] = bytes.Clone(doc)
	}
	return carryOut(ctx, c.f, x, func(ctx context.Context) ([]error, error) { return c.c.InsertMany(ctx, docs) })
}

func (c faultyCollection) Get(ctx context.Context, id bson.RawValue) (bson.Raw, error) {
	return do(ctx, c.f, "Get", c.database, c.name, func(ctx context.Context) (bson.Raw, error) { return c.c.Get(ctx, id) })
}

func (c faultyCollection) Replace(ctx context.Context, id bson.RawValue, when docdb.Filter, doc bson.Raw) error {
	id.Value, doc = bytes.Clone(id.Value), bytes.Clone(doc)
	return c.act(ctx, "Replace", func(ctx context.Context) error { return c.c.Replace(ctx, id, when, doc) })
}

func (c faultyCollection) Delete(ctx context.Context, id bson.RawValue, when docdb.Filter) error {
	id.Value = bytes.Clone(id.Value)
	return c.act(ctx, "Delete", func(ctx context.Context) error { return c.c.Delete(ctx, id, when) })
}

func (c faultyCollection) Find(ctx context.Context, q docdb.Query) iter.Seq2[bson.Raw, error] {
	return func(yield func(bson.Raw, error) bool) {
		x, err := c.f.begin(ctx, "Find", c.database, c.name)
		if err != nil {
			yield(nil, err)
			return
		}
		yielded := 0
		for doc, err := range c.c.Find(ctx, q) {
			if x.hit && (err != nil || x.mode == Midway && yielded == 1) {
				break
			}
			if err = c.f.answer(err); err != nil {
				doc = nil
			}
			if !yield(doc, err) {
				if x.dies {
					_ = c.f.strike(x) // nobody is left to tell, but the process dies all the same
				}
				return
			}
			if err != nil {
				return
			}
			yielded++
		}
		if x.hit {
			yield(nil, c.f.strike(x))
		}
	}
}

func (c faultyCollection) Count(ctx context.Context, filter docdb.Filter) (int64, error) {
	return do(ctx, c.f, "Count", c.database, c.name, func(ctx context.Context) (int64, error) { return c.c.Count(ctx, filter) })
}

func (c faultyCollection) CreateIndex(ctx context.Context, ix docdb.Index) error {
	return c.act(ctx, "CreateIndex", func(ctx context.Context) error { return c.c.CreateIndex(ctx, ix) })
}

func (c faultyCollection) DropIndex(ctx context.Context, name string) error {
	return c.act(ctx, "DropIndex", func(ctx context.Context) error { return c.c.DropIndex(ctx, name) })
}

func (c faultyCollection) Indexes(ctx context.Context) ([]docdb.Index, error) {
	return do(ctx, c.f, "Indexes", c.database, c.name, func(ctx context.Context) ([]docdb.Index, error) { return c.c.Indexes(ctx) })
}
