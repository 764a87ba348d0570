package embedded

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
)

// collection implements docdb.Collection.
type collection struct {
	e    *Engine
	name catalog.Name
}

var _ docdb.Collection = collection{}

// write calls do with the collection, whose indexes then stay as they are; state
// is nil if there is no such collection.
func (c collection) write(ctx context.Context, do func(co *catalog.Collection, state *catalog.State) error) error {
	return undone(c.locked(ctx, 1, do))
}

// change calls do with the collection while nothing is written to it. Reads go on.
func (c collection) change(ctx context.Context, do func(co *catalog.Collection, state *catalog.State) error) error {
	return undone(c.locked(ctx, catalog.AllWriters, do))
}

// undone says of a write that has ended with its context that nothing was done: whether
// it has ended is looked at before anything is committed that counts, and never after.
func undone(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", docdb.ErrUnavailable, err)
	}
	return err
}

// locked calls do with the collection and some of its writers' weight.
func (c collection) locked(ctx context.Context, weight int64, do func(co *catalog.Collection, state *catalog.State) error) error {
	if err := c.e.store.Begin(ctx); err != nil {
		return err
	}
	defer c.e.store.Leave()
	co, err := c.e.catalog.Acquire(c.name)
	if err != nil {
		return err
	}
	defer c.e.catalog.Release(co)
	if err := co.Writers.Acquire(ctx, weight); err != nil {
		return err
	}
	defer co.Writers.Release(weight)
	return do(co, co.State.Load())
}

func (c collection) noCollection() error {
	return fmt.Errorf("%w: %q", docdb.ErrNoCollection, c.name.Collection)
}

// Insert implements docdb.Collection.
func (c collection) Insert(ctx context.Context, doc bson.Raw) error {
	if err := docdb.Validate(doc); err != nil {
		return err
	}
	return c.write(ctx, func(co *catalog.Collection, state *catalog.State) error {
		if state == nil {
			return c.noCollection()
		}
		m := c.e.writes.NewRecorder(ctx, state)
		defer m.Release()
		if err := m.Begin(); err != nil {
			return err
		}
		r := m.Fresh(doc, len(doc))
		return m.Holding(co, c.e.writes.AppendLocks(nil, r), func() error {
			if err := c.e.writes.CheckNew(r); err != nil {
				return err
			}
			w := m.NewWrite(co)
			w.Put(r, nil, doc)
			return w.Commit(false)
		})
	})
}

// Replace implements docdb.Collection.
func (c collection) Replace(ctx context.Context, id bson.RawValue, when docdb.Filter, doc bson.Raw) error {
	if err := docdb.Validate(doc); err != nil {
		return err
	}
	if docdb.Compare(id, docdb.ID(doc)) != 0 {
		return fmt.Errorf("%w: a document cannot be replaced by one with another _id", docdb.ErrInvalid)
	}
	return c.write(ctx, func(co *catalog.Collection, state *catalog.State) error {
		if state == nil {
			return docdb.ErrNoMatch
		}
		m := c.e.writes.NewRecorder(ctx, state)
		defer m.Release()
		if err := m.Begin(); err != nil {
			return err
		}
		r := m.Fresh(doc, len(doc))
		return m.Holding(co, c.e.writes.AppendLocks(nil, r), func() error {
			was, err := m.Matching(r.Key, when)
			if err != nil {
				return err
			}
			if err := c.e.writes.CheckUnique(r); err != nil {
				return err
			}
			w := m.NewWrite(co)
			w.Put(r, was.Entries, doc)
			return w.Commit(false)
		})
	})
}

// Delete implements docdb.Collection.
func (c collection) Delete(ctx context.Context, id bson.RawValue, when docdb.Filter) error {
	return c.write(ctx, func(co *catalog.Collection, state *catalog.State) error {
		if state == nil {
			return docdb.ErrNoMatch
		}
		m := c.e.writes.NewRecorder(ctx, state)
		defer m.Release()
		if err := m.Begin(); err != nil {
			return err
		}
		key := keys.Document(state.ID, keys.AppendValue(nil, id))
		return m.Holding(co, []uint64{c.e.writes.HashOf(key)}, func() error {
			was, err := m.Matching(key, when)
			if err != nil {
				return err
			}
			w := m.NewWrite(co)
			w.Remove(was)
			return w.Commit(true)
		})
	})
}
