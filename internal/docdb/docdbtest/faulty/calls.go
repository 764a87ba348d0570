package faulty

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// do runs one call.
func do[T any](ctx context.Context, f *Engine, op, database, collection string, call func(context.Context) (T, error)) (T, error) {
	x, err := f.begin(ctx, op, database, collection)
	if err != nil {
		var none T
		return none, err
	}
	return carryOut(ctx, f, x, call)
}

// act runs one call that answers with an error only.
func (f *Engine) act(ctx context.Context, op, database, collection string, call func(context.Context) error) error {
	_, err := do(ctx, f, op, database, collection, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) })
	return err
}

// Database implements docdb.Engine.
func (f *Engine) Database(name string) docdb.Database {
	return database{f, name, f.engine.Database(name)}
}

// Ping implements docdb.Engine.
func (f *Engine) Ping(ctx context.Context) error { return f.act(ctx, "Ping", "", "", f.engine.Ping) }

// Close closes the engine beneath, unless this engine is dead: a dead process closes nothing.
func (f *Engine) Close() error {
	if err := f.answer(nil); err != nil {
		return err
	}
	return f.engine.Close()
}

type database struct {
	f    *Engine
	name string
	db   docdb.Database
}

func (d database) Create(ctx context.Context, name string) error {
	return d.f.act(ctx, "Create", d.name, name, func(ctx context.Context) error { return d.db.Create(ctx, name) })
}

func (d database) Drop(ctx context.Context, name string) error {
	return d.f.act(ctx, "Drop", d.name, name, func(ctx context.Context) error { return d.db.Drop(ctx, name) })
}

func (d database) List(ctx context.Context, prefix string) ([]string, error) {
	return do(ctx, d.f, "List", d.name, prefix, func(ctx context.Context) ([]string, error) { return d.db.List(ctx, prefix) })
}

func (d database) CarryIndexes(ctx context.Context, from, to string) error {
	return d.f.act(ctx, "CarryIndexes", d.name, to, func(ctx context.Context) error { return d.db.CarryIndexes(ctx, from, to) })
}

func (d database) CarryOptions(ctx context.Context, from, to string) error {
	return d.f.act(ctx, "CarryOptions", d.name, to, func(ctx context.Context) error { return d.db.CarryOptions(ctx, from, to) })
}

func (d database) Collection(name string) docdb.Collection {
	return collection{d.f, d.name, name, d.db.Collection(name)}
}

type collection struct {
	f        *Engine
	database string
	name     string
	c        docdb.Collection
}

func (c collection) act(ctx context.Context, op string, call func(context.Context) error) error {
	return c.f.act(ctx, op, c.database, c.name, call)
}

// Insert copies the document, as all writes do: a late message holds the document as it was
// when the message was sent.
func (c collection) Insert(ctx context.Context, doc bson.Raw) error {
	doc = bytes.Clone(doc)
	return c.act(ctx, "Insert", func(ctx context.Context) error { return c.c.Insert(ctx, doc) })
}

func (c collection) InsertMany(ctx context.Context, docs []bson.Raw) ([]error, error) {
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

func (c collection) Get(ctx context.Context, id bson.RawValue) (bson.Raw, error) {
	return do(ctx, c.f, "Get", c.database, c.name, func(ctx context.Context) (bson.Raw, error) { return c.c.Get(ctx, id) })
}

func (c collection) Replace(ctx context.Context, id bson.RawValue, when docdb.Filter, doc bson.Raw) error {
	id.Value, doc = bytes.Clone(id.Value), bytes.Clone(doc)
	return c.act(ctx, "Replace", func(ctx context.Context) error { return c.c.Replace(ctx, id, when, doc) })
}

func (c collection) Delete(ctx context.Context, id bson.RawValue, when docdb.Filter) error {
	id.Value = bytes.Clone(id.Value)
	return c.act(ctx, "Delete", func(ctx context.Context) error { return c.c.Delete(ctx, id, when) })
}

func (c collection) Find(ctx context.Context, q docdb.Query) iter.Seq2[bson.Raw, error] {
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
					_ = c.f.strike(x) // no caller is left for the answer, but the process dies all the same
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

func (c collection) Count(ctx context.Context, filter docdb.Filter) (int64, error) {
	return do(ctx, c.f, "Count", c.database, c.name, func(ctx context.Context) (int64, error) { return c.c.Count(ctx, filter) })
}

func (c collection) CreateIndex(ctx context.Context, ix docdb.Index) error {
	return c.act(ctx, "CreateIndex", func(ctx context.Context) error { return c.c.CreateIndex(ctx, ix) })
}

func (c collection) DropIndex(ctx context.Context, name string) error {
	return c.act(ctx, "DropIndex", func(ctx context.Context) error { return c.c.DropIndex(ctx, name) })
}

func (c collection) Indexes(ctx context.Context) ([]docdb.Index, error) {
	return do(ctx, c.f, "Indexes", c.database, c.name, func(ctx context.Context) ([]docdb.Index, error) { return c.c.Indexes(ctx) })
}

// Size implements docdb.Sizer if the collection beneath does.
func (c collection) Size(ctx context.Context) (docdb.Size, error) {
	sizer, ok := c.c.(docdb.Sizer)
	if !ok {
		return docdb.Size{}, errors.ErrUnsupported
	}
	return do(ctx, c.f, "Size", c.database, c.name, sizer.Size)
}

// IndexSize implements docdb.IndexSizer if the collection beneath does. It sends no message to
// the storage, so it meets no fault.
func (c collection) IndexSize(ctx context.Context, doc bson.Raw) (int64, error) {
	sizer, ok := c.c.(docdb.IndexSizer)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return sizer.IndexSize(ctx, doc)
}
