package embedded

import (
	"context"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
)

// database implements docdb.Database.
type database struct {
	e    *Engine
	name string
}

// CarryOptions implements docdb.Database: a collection has none.
func (d database) CarryOptions(context.Context, string, string) error { return nil }

// CarryIndexes implements docdb.Database.
func (d database) CarryIndexes(ctx context.Context, from, to string) error {
	return undone(docdb.CarryIndexes(ctx, d.Collection(from), d.Collection(to)))
}

// Collection implements docdb.Database.
func (d database) Collection(name string) docdb.Collection {
	return collection{d.e, collName{d.name, name}}
}

// Create implements docdb.Database.
func (d database) Create(ctx context.Context, name string) error {
	c := collection{d.e, collName{d.name, name}}
	return c.change(ctx, func(co *coll, state *collState) error {
		if state != nil {
			return fmt.Errorf("%w: collection %q", docdb.ErrExists, name)
		}
		id, err := d.e.catalog.number()
		if err != nil {
			return err
		}
		return d.e.setState(co, d.e.db.NewBatch(), &collState{id: id, nextIndex: 1}, false)
	})
}

// Drop implements docdb.Database. The documents' room is given back in the
// background, in about a second where they fill whole tables.
func (d database) Drop(ctx context.Context, name string) error {
	c := collection{d.e, collName{d.name, name}}
	return c.change(ctx, func(co *coll, state *collState) error {
		if state == nil {
			return nil
		}
		batch := d.e.db.NewBatch()
		if err := d.e.deleteAll(batch, keys.Collection(state.id)); err != nil {
			return err
		}
		return d.e.setState(co, batch, nil, true)
	})
}

// List implements docdb.Database.
func (d database) List(ctx context.Context, prefix string) ([]string, error) {
	if err := docdb.ValidateDatabaseName(d.name); err != nil {
		return nil, err
	}
	if err := d.e.begin(ctx); err != nil {
		return nil, err
	}
	defer d.e.calls.leave()
	names, err := d.e.catalog.names(ctx, d.name, prefix)
	if err == nil {
		err = d.e.health.Err() // one of the commits waited for may have failed
	}
	if err != nil {
		return nil, err
	}
	return names, nil
}

// setState commits a batch that makes state the collection's (nil: dropped),
// and lets the process know once it is on disk. The caller holds all of co.writers.
func (e *Engine) setState(co *coll, batch *pebble.Batch, state *collState, frees bool) error {
	key := keys.Catalog(co.name.database, co.name.collection)
	if state == nil {
		if err := batch.Delete(key, nil); err != nil {
			return err
		}
	} else {
		value, err := state.encode()
		if err == nil {
			err = batch.Set(key, value, nil)
		}
		if err != nil {
			return fmt.Errorf("writing catalog of collection %q: %w", co.name.collection, err)
		}
	}
	co.changing.Store(true)
	defer co.changing.Store(false)
	// Whoever waits for these commits finds the new state when they have ended.
	defer co.inflight.end(co.inflight.begin())
	defer e.catalog.changes.end(e.catalog.changes.begin())
	if err := e.commit(batch, true, frees); err != nil {
		return err
	}
	co.state.Store(state)
	return nil
}

// fewKeys is how many keys are deleted one by one. Range deletions of little cost
// readers more than they save.
const fewKeys = 64

// deleteAll adds to a batch the deletion of all keys with a prefix, where nobody writes.
func (e *Engine) deleteAll(batch *pebble.Batch, prefix []byte) error {
	end := keys.Successor(prefix)
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: end})
	if err != nil {
		return err
	}
	var keys [][]byte
	ok := it.First()
	for ; ok && len(keys) < fewKeys; ok = it.Next() {
		keys = append(keys, slices.Clone(it.Key()))
	}
	if err := it.Close(); err != nil {
		return err
	}
	if ok {
		return batch.DeleteRange(prefix, end, nil)
	}
	for _, key := range keys {
		if err := batch.Delete(key, nil); err != nil {
			return err
		}
	}
	return nil
}
