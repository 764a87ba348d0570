package embedded

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
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
		key := documentKey(state.id, appendValue(nil, id))
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

// The limits of InsertMany.
const (
	maxBulk      = 1000
	maxBulkBytes = 48 << 20
	// maxRun is how many bytes of entries it makes before it writes what it has.
	maxRun = 4 << 20
)

// InsertMany implements docdb.Collection. It holds the keys of documents until
// the last one is on disk, so that one sync serves all: of all documents, or of so many as have
// maxRun bytes of entries.
func (c collection) InsertMany(ctx context.Context, docs []bson.Raw) ([]error, error) {
	size := 0
	for _, doc := range docs {
		size += len(doc)
	}
	if len(docs) > maxBulk || size > maxBulkBytes {
		return nil, fmt.Errorf("%w: %d documents of %d bytes at once, the limits are %d and %d",
			docdb.ErrTooLarge, len(docs), size, maxBulk, maxBulkBytes)
	}
	errs := make([]error, len(docs))
	err := c.write(ctx, func(co *coll, state *collState) error {
		if state == nil {
			return c.noCollection()
		}
		m := c.e.newRecorder(ctx, state)
		defer m.release()
		if err := m.begin(); err != nil {
			return err
		}
		for done := 0; done < len(docs); {
			n, err := m.insertRun(co, docs[done:], errs[done:])
			if err != nil {
				return err
			}
			done += n
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return errs, nil
}

// insertRun inserts the first n documents, and sets their errors.
func (m *recorder) insertRun(co *coll, docs []bson.Raw, errs []error) (n int, err error) {
	var records []record
	var keys []uint64
	bytes := 0
	for m.size = 0; n < len(docs) && m.size < maxRun; n++ {
		if err := errors.Join(m.ctx.Err(), m.turn.Rest(m.ctx)); err != nil {
			return n, err
		}
		bytes += len(docs[n])
		var r record
		if errs[n] = docdb.Validate(docs[n]); errs[n] == nil {
			r = m.fresh(docs[n], bytes)
			keys = m.e.appendLocks(keys, r)
		}
		records = append(records, r)
	}
	return n, m.holding(co, keys, func() error {
		if err := m.e.checkBulk(m.ctx, records, errs); err != nil {
			return err
		}
		w := m.newWrite(co)
		for i, r := range records {
			if errs[i] == nil {
				w.put(r, nil, docs[i])
			}
		}
		return w.commit(false)
	})
}

// checkBulk sets the errors of the records that have none so far and can't be
// added: for what is stored, or for another of them.
func (e *Engine) checkBulk(ctx context.Context, records []record, errs []error) error {
	claimed := make(map[string]struct{}, len(records))
	for i, r := range records {
		if errs[i] != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		err := claimedBy(claimed, r)
		if err == nil {
			err = e.checkNew(r)
		}
		if err != nil && !errors.Is(err, docdb.ErrDuplicate) && !errors.Is(err, docdb.ErrInvalid) {
			return err
		}
		if errs[i] = err; err != nil {
			continue
		}
		claimed[string(r.key)] = struct{}{}
		for _, en := range r.entries {
			if en.unique != nil {
				claimed[string(en.key)] = struct{}{}
			}
		}
	}
	return nil
}

// claimedBy returns a *docdb.DuplicateError if an earlier document of the call
// has the _id or a unique key of r.
func claimedBy(claimed map[string]struct{}, r record) error {
	if _, ok := claimed[string(r.key)]; ok {
		return &docdb.DuplicateError{Index: docdb.IDIndex}
	}
	for _, en := range r.entries {
		if en.unique == nil {
			continue
		}
		if _, ok := claimed[string(en.key)]; ok {
			return &docdb.DuplicateError{Index: en.unique.Name}
		}
	}
	return nil
}
