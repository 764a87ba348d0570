// Package model keeps docdb's contract in memory, in the most obvious way: one lock, slices, a
// scan for everything. It is the oracle of the differential test, and a quick engine for the
// tests of the packages above.
package model

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// Engine is a docdb.Engine in memory. It is not for production: it stores nothing and is slow.
type Engine struct {
	mu     sync.Mutex
	calls  sync.WaitGroup
	closed bool
	// collections by database and name.
	collections map[[2]string]*contents
}

type contents struct {
	docs    []bson.Raw
	indexes []docdb.Index // in the order of their names
}

// New returns an empty engine.
func New() *Engine { return &Engine{collections: map[[2]string]*contents{}} }

// Database implements docdb.Engine.
func (m *Engine) Database(name string) docdb.Database { return database{m, name} }

// Ping implements docdb.Engine.
func (m *Engine) Ping(ctx context.Context) error { return m.do(ctx, func() error { return nil }) }

// Close implements docdb.Engine.
func (m *Engine) Close() error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.calls.Wait()
	return nil
}

// begin counts a call that starts, so that Close waits for its end.
func (m *Engine) begin(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return docdb.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", docdb.ErrUnavailable, err)
	}
	m.calls.Add(1)
	return nil
}

// do runs a call under the lock.
func (m *Engine) do(ctx context.Context, call func() error) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.calls.Done()
	m.mu.Lock()
	defer m.mu.Unlock()
	return call()
}

type database struct {
	m    *Engine
	name string
}

// do runs a call on a collection after checking the names.
func (d database) do(ctx context.Context, name string, call func(key [2]string) error) error {
	return d.m.do(ctx, func() error {
		if err := docdb.ValidateDatabaseName(d.name); err != nil {
			return err
		}
		if err := docdb.ValidateCollectionName(name); err != nil {
			return err
		}
		return call([2]string{d.name, name})
	})
}

func (d database) Create(ctx context.Context, name string) error {
	return d.do(ctx, name, func(key [2]string) error {
		if d.m.collections[key] != nil {
			return docdb.ErrExists
		}
		d.m.collections[key] = &contents{}
		return nil
	})
}

func (d database) Drop(ctx context.Context, name string) error {
	return d.do(ctx, name, func(key [2]string) error {
		delete(d.m.collections, key)
		return nil
	})
}

func (d database) List(ctx context.Context, prefix string) ([]string, error) {
	names := []string{}
	err := d.m.do(ctx, func() error {
		for key := range d.m.collections {
			if key[0] == d.name && strings.HasPrefix(key[1], prefix) {
				names = append(names, key[1])
			}
		}
		return docdb.ValidateDatabaseName(d.name)
	})
	slices.Sort(names)
	return names, err
}

// CarryOptions implements docdb.Database: a collection has none.
func (d database) CarryOptions(context.Context, string, string) error { return nil }

// CarryIndexes implements docdb.Database.
func (d database) CarryIndexes(ctx context.Context, from, to string) error {
	return docdb.CarryIndexes(ctx, d.Collection(from), d.Collection(to))
}

func (d database) Collection(name string) docdb.Collection { return collection{d, name} }

type collection struct {
	db   database
	name string
}

// read runs a call on the collection, an empty one if it does not exist.
func (c collection) read(ctx context.Context, call func(*contents) error) error {
	return c.db.do(ctx, c.name, func(key [2]string) error {
		data := c.db.m.collections[key]
		if data == nil {
			data = &contents{}
		}
		return call(data)
	})
}

// write runs a call on the collection, which must exist.
func (c collection) write(ctx context.Context, call func(*contents) error) error {
	return c.db.do(ctx, c.name, func(key [2]string) error {
		data := c.db.m.collections[key]
		if data == nil {
			return docdb.ErrNoCollection
		}
		return call(data)
	})
}

func (c collection) Insert(ctx context.Context, doc bson.Raw) error {
	if err := docdb.Validate(doc); err != nil {
		return err
	}
	return c.write(ctx, func(data *contents) error { return data.put(doc, -1) })
}

func (c collection) InsertMany(ctx context.Context, docs []bson.Raw) ([]error, error) {
	size := 0
	for _, doc := range docs {
		size += len(doc)
	}
	if len(docs) > 1000 || size > 48<<20 {
		return nil, docdb.ErrTooLarge
	}
	errs := make([]error, len(docs))
	err := c.write(ctx, func(data *contents) error {
		for i, doc := range docs {
			if errs[i] = docdb.Validate(doc); errs[i] == nil {
				errs[i] = data.put(doc, -1)
			}
		}
		return nil
	})
	return errs, err
}

func (c collection) Get(ctx context.Context, id bson.RawValue) (doc bson.Raw, err error) {
	err = c.read(ctx, func(data *contents) error {
		i := data.find(id)
		if i < 0 {
			return docdb.ErrNotFound
		}
		doc = bytes.Clone(data.docs[i])
		return nil
	})
	return doc, err
}

func (c collection) Replace(ctx context.Context, id bson.RawValue, when docdb.Filter, doc bson.Raw) error {
	if err := docdb.Validate(doc); err != nil {
		return err
	}
	if docdb.Compare(id, docdb.ID(doc)) != 0 {
		return fmt.Errorf("%w: the document has another _id", docdb.ErrInvalid)
	}
	return c.read(ctx, func(data *contents) error {
		i := data.find(id)
		if i < 0 || !when.Match(data.docs[i]) {
			return docdb.ErrNoMatch
		}
		return data.put(doc, i)
	})
}

func (c collection) Delete(ctx context.Context, id bson.RawValue, when docdb.Filter) error {
	return c.read(ctx, func(data *contents) error {
		i := data.find(id)
		if i < 0 || !when.Match(data.docs[i]) {
			return docdb.ErrNoMatch
		}
		data.docs = slices.Delete(data.docs, i, i+1)
		return nil
	})
}

func (c collection) Find(ctx context.Context, q docdb.Query) iter.Seq2[bson.Raw, error] {
	return func(yield func(bson.Raw, error) bool) {
		if err := c.db.m.begin(ctx); err != nil {
			yield(nil, err)
			return
		}
		defer c.db.m.calls.Done()
		docs, err := c.db.m.query(c, q)
		for _, doc := range docs {
			if err = ctx.Err(); err != nil || !yield(bytes.Clone(doc), nil) {
				break
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// query returns what Find yields at this moment. It works on a closed engine too, since Close waits
// for each Find that has begun.
func (m *Engine) query(c collection, q docdb.Query) ([]bson.Raw, error) {
	if err := docdb.ValidateDatabaseName(c.db.name); err != nil {
		return nil, err
	}
	if err := docdb.ValidateCollectionName(c.name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	data := m.collections[[2]string{c.db.name, c.name}]
	if data == nil {
		data = &contents{}
	}
	if len(q.Order) > 0 && !slices.ContainsFunc(data.indexes, func(ix docdb.Index) bool { return slices.Equal(ix.Keys, q.Order) }) {
		return nil, docdb.ErrNoIndex
	}
	return Select(data.docs, q), nil
}

// Select returns what Find yields on those documents; an index for the order is taken for granted.
func Select(docs []bson.Raw, q docdb.Query) []bson.Raw {
	type placed struct {
		doc bson.Raw
		at  docdb.Position
	}
	var found []placed
	for _, doc := range docs {
		if !q.Filter.Match(doc) {
			continue
		}
		at := docdb.PositionOf(doc, q.Order, q.Desc)
		if q.After == nil || docdb.ComparePositions(at, *q.After, q.Order, q.Desc) > 0 {
			found = append(found, placed{doc, at})
		}
	}
	slices.SortFunc(found, func(a, b placed) int { return docdb.ComparePositions(a.at, b.at, q.Order, q.Desc) })
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
	}
	selected := make([]bson.Raw, len(found))
	for i, f := range found {
		selected[i] = f.doc
	}
	return selected
}

func (c collection) Count(ctx context.Context, f docdb.Filter) (n int64, err error) {
	err = c.read(ctx, func(data *contents) error {
		n = int64(len(Select(data.docs, docdb.Query{Filter: f})))
		return nil
	})
	return n, err
}

func (c collection) CreateIndex(ctx context.Context, ix docdb.Index) error {
	if err := docdb.ValidateIndex(ix); err != nil {
		return err
	}
	return c.write(ctx, func(data *contents) error {
		for _, other := range data.indexes {
			sameKeys := slices.Equal(other.Keys, ix.Keys)
			switch {
			case other.Name == ix.Name && sameKeys && other.Unique == ix.Unique:
				return nil
			case other.Name == ix.Name || sameKeys:
				return docdb.ErrExists
			}
		}
		if len(data.indexes) == docdb.MaxIndexes {
			return fmt.Errorf("%w: too many indexes", docdb.ErrInvalid)
		}
		for i, doc := range data.docs {
			if err := data.check(ix, doc, i); err != nil {
				return err
			}
			if err := bounded(doc, append(slices.Clone(data.indexes), ix)...); err != nil {
				return err
			}
		}
		ix.Keys = slices.Clone(ix.Keys)
		data.indexes = append(data.indexes, ix)
		slices.SortFunc(data.indexes, func(a, b docdb.Index) int { return strings.Compare(a.Name, b.Name) })
		return nil
	})
}

func (c collection) DropIndex(ctx context.Context, name string) error {
	return c.read(ctx, func(data *contents) error {
		n := len(data.indexes)
		data.indexes = slices.DeleteFunc(data.indexes, func(ix docdb.Index) bool { return ix.Name == name })
		if len(data.indexes) == n {
			return docdb.ErrNotFound
		}
		return nil
	})
}

func (c collection) Indexes(ctx context.Context) (list []docdb.Index, err error) {
	err = c.read(ctx, func(data *contents) error {
		for _, ix := range data.indexes {
			ix.Keys = slices.Clone(ix.Keys)
			list = append(list, ix)
		}
		return nil
	})
	return list, err
}

// find returns the position of the document with that _id, or -1.
func (d *contents) find(id bson.RawValue) int {
	return slices.IndexFunc(d.docs, func(doc bson.Raw) bool { return docdb.Compare(docdb.ID(doc), id) == 0 })
}

// put adds a document if at is -1, else replaces the document at that position.
func (d *contents) put(doc bson.Raw, at int) error {
	if i := d.find(docdb.ID(doc)); i >= 0 && i != at {
		return &docdb.DuplicateError{Index: docdb.IDIndex}
	}
	for _, ix := range d.indexes {
		if err := d.check(ix, doc, at); err != nil {
			return err
		}
	}
	if err := bounded(doc, d.indexes...); err != nil {
		return err
	}
	if at < 0 {
		d.docs = append(d.docs, bytes.Clone(doc))
	} else {
		d.docs[at] = bytes.Clone(doc)
	}
	return nil
}
