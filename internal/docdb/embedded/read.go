package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/meter"
)

// Get implements docdb.Collection.
func (c collection) Get(ctx context.Context, id bson.RawValue) (bson.Raw, error) {
	if err := c.e.begin(ctx); err != nil {
		return nil, err
	}
	defer c.e.calls.leave()
	co, err := c.e.catalog.acquire(c.name)
	if err != nil {
		return nil, err
	}
	defer c.e.catalog.release(co)
	var buf [64]byte
	encoded := keys.AppendValue(buf[:0], id)
	for {
		state := co.state.Load()
		if state == nil {
			return nil, docdb.ErrNotFound
		}
		key := keys.Document(state.id, encoded)
		hash := c.e.hashOf(key)
		doc, ok, err := c.e.getRoomed(ctx, key, hash)
		if err != nil {
			return nil, err
		}
		if err := co.locks.settle(ctx, hash); err != nil {
			return nil, err
		}
		// Dropping holds no keys: wait for it rather than tell of what may not
		// have happened after all.
		if co.changing.Load() || co.state.Load() != state {
			if err := co.inflight.settle(ctx); err != nil {
				return nil, err
			}
			if co.state.Load() != state {
				continue
			}
		}
		if err := c.e.health.Err(); err != nil { // the write that was read may have been what failed
			return nil, err
		}
		if !ok {
			return nil, docdb.ErrNotFound
		}
		return doc, nil
	}
}

// getRoomed reads a document if there is room for it. One that was large when it was last
// read or written waits for its turn: of the others nobody knows before.
func (e *Engine) getRoomed(ctx context.Context, key []byte, hash uint64) (doc []byte, ok bool, err error) {
	expected := e.large.size(hash)
	turn, err := meter.TurnFor(ctx, expected)
	if err != nil {
		return nil, false, err
	}
	defer turn.Done()
	if err := meter.TakeRoom(ctx, expected); err != nil {
		return nil, true, err
	}
	v, closer, err := e.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading storage: %w", err)
	}
	e.large.is(hash, len(v))
	if err = meter.TakeRoom(ctx, len(v)-expected); err == nil {
		doc = append(make([]byte, 0, len(v)), v...)
	}
	return doc, true, errors.Join(err, closer.Close())
}

// has reports whether a key is there.
func (e *Engine) has(key []byte) (there bool, err error) {
	err = seek(e.db, key, func([]byte) { there = true })
	return there, err
}

// seek calls found with the value of a key that is probably not there. Pebble's Get is faster
// where it is, but does not look at the filters of the lowest level: it would read a block,
// and the next one, which may be a large document.
func seek(from pebble.Reader, key []byte, found func(value []byte)) (err error) {
	after := append(append(make([]byte, 0, len(key)+1), key...), 0)
	it, err := from.NewIter(&pebble.IterOptions{UseL6Filters: true, LowerBound: after[:len(key)], UpperBound: after})
	if err != nil {
		return fmt.Errorf("reading storage: %w", err)
	}
	defer func() {
		if closeErr := it.Close(); closeErr != nil && err == nil {
			err = fmt.Errorf("reading storage: %w", closeErr)
		}
	}()
	if !it.SeekPrefixGE(key) {
		return nil // or the iterator has an error, which Close returns
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	found(value)
	return nil
}
