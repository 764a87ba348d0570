package embedded

import (
	"context"
	"fmt"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
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
	return collection{d.e, catalog.Name{Database: d.name, Collection: name}}
}

// Create implements docdb.Database.
func (d database) Create(ctx context.Context, name string) error {
	c := collection{d.e, catalog.Name{Database: d.name, Collection: name}}
	return c.change(ctx, func(co *catalog.Collection, state *catalog.State) error {
		if state != nil {
			return fmt.Errorf("%w: collection %q", docdb.ErrExists, name)
		}
		id, err := d.e.catalog.Number()
		if err != nil {
			return err
		}
		return d.e.catalog.SetState(co, d.e.store.DB.NewBatch(), &catalog.State{ID: id, NextIndex: 1}, false)
	})
}

// Drop implements docdb.Database. The documents' room is given back in the
// background, in about a second where they fill whole tables.
func (d database) Drop(ctx context.Context, name string) error {
	c := collection{d.e, catalog.Name{Database: d.name, Collection: name}}
	return c.change(ctx, func(co *catalog.Collection, state *catalog.State) error {
		if state == nil {
			return nil
		}
		batch := d.e.store.DB.NewBatch()
		if err := d.e.store.DeleteAll(batch, keys.Collection(state.ID)); err != nil {
			return err
		}
		return d.e.catalog.SetState(co, batch, nil, true)
	})
}

// List implements docdb.Database.
func (d database) List(ctx context.Context, prefix string) ([]string, error) {
	if err := docdb.ValidateDatabaseName(d.name); err != nil {
		return nil, err
	}
	if err := d.e.store.Begin(ctx); err != nil {
		return nil, err
	}
	defer d.e.store.Leave()
	names, err := d.e.catalog.Names(ctx, d.name, prefix)
	if err == nil {
		err = d.e.store.Health.Err() // one of the commits waited for may have failed
	}
	if err != nil {
		return nil, err
	}
	return names, nil
}
