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
		r := newRecord(state, doc)
		var buf [8]uint16
		held := c.e.stripes.lock(r.stripes(buf[:0], c.e.stripes))
		defer c.e.stripes.unlock(held)
		if err := ctx.Err(); err != nil { // the locks don't look at it
			return err
		}
		if err := c.e.checkNew(r); err != nil {
			return err
		}
		w := c.e.newWrite(co)
		w.put(r, nil, doc)
		return w.commit(false)
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
		r := newRecord(state, doc)
		var buf [8]uint16
		held := c.e.stripes.lock(r.stripes(buf[:0], c.e.stripes))
		defer c.e.stripes.unlock(held)
		was, err := c.e.matching(ctx, state, r.key, when)
		if err != nil {
			return err
		}
		if err := c.e.checkUnique(r); err != nil {
			return err
		}
		w := c.e.newWrite(co)
		w.put(r, was.entries, doc)
		return w.commit(false)
	})
}

// Delete implements docdb.Collection.
func (c collection) Delete(ctx context.Context, id bson.RawValue, when docdb.Filter) error {
	return c.write(ctx, func(co *coll, state *collState) error {
		if state == nil {
			return docdb.ErrNoMatch
		}
		key := documentKey(state.id, appendValue(nil, id))
		held := c.e.stripes.lock([]uint16{c.e.stripes.of(key)})
		defer c.e.stripes.unlock(held)
		was, err := c.e.matching(ctx, state, key, when)
		if err != nil {
			return err
		}
		w := c.e.newWrite(co)
		w.remove(was)
		return w.commit(true)
	})
}

// matching returns the record of the document at key, whose stripe the caller
// holds; ErrNoMatch unless there is one that satisfies when.
func (e *Engine) matching(ctx context.Context, state *collState, key []byte, when docdb.Filter) (record, error) {
	if err := ctx.Err(); err != nil {
		return record{}, err
	}
	doc, ok, err := e.get(key)
	if err != nil {
		return record{}, err
	}
	if !ok || !when.Match(doc) {
		return record{}, docdb.ErrNoMatch
	}
	return newRecord(state, doc), nil
}

// The limits of InsertMany.
const (
	maxBulk      = 1000
	maxBulkBytes = 48 << 20
)

// InsertMany implements docdb.Collection. It holds the stripes of all documents
// until the last one is on disk, so that the one sync at its end serves all.
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
		records := make([]record, len(docs))
		var ids []uint16
		for i, doc := range docs {
			if errs[i] = docdb.Validate(doc); errs[i] == nil {
				records[i] = newRecord(state, doc)
				ids = records[i].stripes(ids, c.e.stripes)
			}
		}
		held := c.e.stripes.lock(ids)
		defer c.e.stripes.unlock(held)
		if err := c.e.checkBulk(ctx, records, errs); err != nil {
			return err
		}
		w := c.e.newWrite(co)
		for i, r := range records {
			if errs[i] == nil {
				w.put(r, nil, docs[i])
			}
		}
		return w.commit(false)
	})
	if err != nil {
		return nil, err
	}
	return errs, nil
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
