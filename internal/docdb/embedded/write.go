package embedded

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
)

// collection implements docdb.Collection.
type collection struct {
	e    *Engine
	name collName
}

var _ docdb.Collection = collection{}

// write calls do with the collection, whose indexes then stay as they are; state
// is nil if there is no such collection.
func (c collection) write(ctx context.Context, do func(co *coll, state *collState) error) error {
	return undone(c.locked(ctx, 1, do))
}

// change calls do with the collection while nobody writes to it. Readers go on.
func (c collection) change(ctx context.Context, do func(co *coll, state *collState) error) error {
	return undone(c.locked(ctx, allWriters, do))
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
func (c collection) locked(ctx context.Context, weight int64, do func(co *coll, state *collState) error) error {
	if err := c.e.begin(ctx); err != nil {
		return err
	}
	defer c.e.calls.leave()
	co, err := c.e.catalog.acquire(c.name)
	if err != nil {
		return err
	}
	defer c.e.catalog.release(co)
	if err := co.writers.Acquire(ctx, weight); err != nil {
		return err
	}
	defer co.writers.Release(weight)
	return do(co, co.state.Load())
}

func (c collection) noCollection() error {
	return fmt.Errorf("%w: %q", docdb.ErrNoCollection, c.name.collection)
}

// Insert implements docdb.Collection.
func (c collection) Insert(ctx context.Context, doc bson.Raw) error {
	if err := docdb.Validate(doc); err != nil {
		return err
	}
	return c.write(ctx, func(co *coll, state *collState) error {
		if state == nil {
			return c.noCollection()
		}
		m := c.e.newRecorder(ctx, state)
		defer m.release()
		if err := m.begin(); err != nil {
			return err
		}
		r := m.fresh(doc, len(doc))
		return m.holding(co, c.e.appendLocks(nil, r), func() error {
			if err := c.e.checkNew(r); err != nil {
				return err
			}
			w := m.newWrite(co)
			w.put(r, nil, doc)
			return w.commit(false)
		})
	})
}

// checkNew returns a *docdb.DuplicateError if a new document's _id or one of
// its unique keys is taken.
func (e *Engine) checkNew(r record) error {
	there, err := e.has(r.key)
	if err != nil {
		return err
	}
	if there {
		return &docdb.DuplicateError{Index: docdb.IDIndex}
	}
	return e.checkUnique(r)
}

// Replace implements docdb.Collection.
func (c collection) Replace(ctx context.Context, id bson.RawValue, when docdb.Filter, doc bson.Raw) error {
	if err := docdb.Validate(doc); err != nil {
		return err
	}
	if docdb.Compare(id, docdb.ID(doc)) != 0 {
		return fmt.Errorf("%w: a document cannot be replaced by one with another _id", docdb.ErrInvalid)
	}
	return c.write(ctx, func(co *coll, state *collState) error {
		if state == nil {
			return docdb.ErrNoMatch
		}
		m := c.e.newRecorder(ctx, state)
		defer m.release()
		if err := m.begin(); err != nil {
			return err
		}
		r := m.fresh(doc, len(doc))
		return m.holding(co, c.e.appendLocks(nil, r), func() error {
			was, err := m.matching(r.key, when)
			if err != nil {
				return err
			}
			if err := c.e.checkUnique(r); err != nil {
				return err
			}
			w := m.newWrite(co)
			w.put(r, was.entries, doc)
			return w.commit(false)
		})
	})
}

// Delete implements docdb.Collection.
func (c collection) Delete(ctx context.Context, id bson.RawValue, when docdb.Filter) error {
	return c.write(ctx, func(co *coll, state *collState) error {
		if state == nil {
			return docdb.ErrNoMatch
		}
		m := c.e.newRecorder(ctx, state)
		defer m.release()
		if err := m.begin(); err != nil {
			return err
		}
		key := keys.Document(state.id, keys.AppendValue(nil, id))
		return m.holding(co, []uint64{c.e.hashOf(key)}, func() error {
			was, err := m.matching(key, when)
			if err != nil {
				return err
			}
			w := m.newWrite(co)
			w.remove(was)
			return w.commit(true)
		})
	})
}

// holding calls do with keys locked. When do needs a place for heavy writes, it is called
// again with one.
func (m *recorder) holding(co *coll, keys []uint64, do func() error) error {
	for {
		err := m.holdingOnce(co, keys, do)
		if !errors.Is(err, errHeavy) {
			return err
		}
		if err := m.acquire(); err != nil {
			return err
		}
	}
}

func (m *recorder) holdingOnce(co *coll, keys []uint64, do func() error) error {
	held, err := co.locks.lock(m.ctx, keys)
	if err != nil {
		return err
	}
	defer co.locks.unlock(held)
	m.locked = true
	defer func() { m.locked = false }()
	if err := m.ctx.Err(); err != nil {
		return err
	}
	return do()
}

// matching returns the record of the document at key, which the caller
// holds; ErrNoMatch unless there is one that satisfies when.
func (m *recorder) matching(key []byte, when docdb.Filter) (record, error) {
	doc, ok, err := m.e.get(key)
	if err != nil {
		return record{}, err
	}
	if !ok || !when.Match(doc) {
		return record{}, docdb.ErrNoMatch
	}
	was := m.stored(doc)
	return was, was.err
}
