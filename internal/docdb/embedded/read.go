package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
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
	encoded := appendValue(buf[:0], id)
	for {
		state := co.state.Load()
		if state == nil {
			return nil, docdb.ErrNotFound
		}
		key := documentKey(state.id, encoded)
		doc, ok, err := c.e.getRoomed(ctx, key)
		if err != nil {
			return nil, err
		}
		if err := co.locks.settle(ctx, c.e.hashOf(key)); err != nil {
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
		if err := c.e.health.err(); err != nil { // the write that was read may have been what failed
			return nil, err
		}
		if !ok {
			return nil, docdb.ErrNotFound
		}
		return doc, nil
	}
}

// getRoomed reads a document if there is room for it.
func (e *Engine) getRoomed(ctx context.Context, key []byte) (doc []byte, ok bool, err error) {
	v, closer, err := e.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading storage: %w", err)
	}
	if err = docdb.RoomOf(ctx)(len(v)); err == nil {
		doc = append(make([]byte, 0, len(v)), v...)
	}
	return doc, true, errors.Join(err, closer.Close())
}

// has reports whether a key is there.
func (e *Engine) has(key []byte) (bool, error) {
	_, closer, err := e.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading storage: %w", err)
	}
	return true, closer.Close()
}
