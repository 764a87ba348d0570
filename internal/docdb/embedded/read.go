package embedded

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
)

// Get implements docdb.Collection.
func (c collection) Get(ctx context.Context, id bson.RawValue) (bson.Raw, error) {
	if err := c.e.store.Begin(ctx); err != nil {
		return nil, err
	}
	defer c.e.store.Leave()
	co, err := c.e.catalog.Acquire(c.name)
	if err != nil {
		return nil, err
	}
	defer c.e.catalog.Release(co)
	var buf [64]byte
	encoded := keys.AppendValue(buf[:0], id)
	for {
		state := co.State.Load()
		if state == nil {
			return nil, docdb.ErrNotFound
		}
		key := keys.Document(state.ID, encoded)
		hash := c.e.writes.HashOf(key)
		doc, ok, err := c.e.writes.ReadDocument(ctx, key, hash)
		if err != nil {
			return nil, err
		}
		if err := co.Locks.Settle(ctx, hash); err != nil {
			return nil, err
		}
		// Dropping holds no keys: wait for it rather than tell of what may not
		// have happened after all.
		if co.Changing.Load() || co.State.Load() != state {
			if err := co.Inflight.Settle(ctx); err != nil {
				return nil, err
			}
			if co.State.Load() != state {
				continue
			}
		}
		if err := c.e.store.Health.Err(); err != nil { // the write that was read may have been what failed
			return nil, err
		}
		if !ok {
			return nil, docdb.ErrNotFound
		}
		return doc, nil
	}
}
