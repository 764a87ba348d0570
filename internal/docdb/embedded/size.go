package embedded

import (
	"context"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/embedded/store"
	"github.com/orgd/orgd/internal/docdb/meter"
)

// Size implements docdb.Sizer. It walks over all keys, and reads no values: Pebble's
// own estimate leaves out what is not in tables yet.
func (c collection) Size(ctx context.Context) (docdb.Size, error) {
	if err := c.e.store.Begin(ctx); err != nil {
		return docdb.Size{}, err
	}
	defer c.e.store.Leave()
	co, err := c.e.catalog.Acquire(c.name)
	if err != nil {
		return docdb.Size{}, err
	}
	defer c.e.catalog.Release(co)
	size, meter := docdb.Size{Indexes: map[string]int64{}}, meter.New(ctx)
	defer meter.Done()
	state := co.State.Load()
	if state == nil {
		return size, nil
	}
	if size.Documents, _, size.Bytes, err = c.e.sizeOf(meter, keys.Documents(state.ID)); err != nil {
		return docdb.Size{}, err
	}
	for _, ix := range state.Indexes {
		_, keys, values, err := c.e.sizeOf(meter, keys.Index(state.ID, ix.ID))
		if err != nil {
			return docdb.Size{}, err
		}
		size.Indexes[ix.Name] = keys + values
		size.IndexBytes += keys + values
	}
	return size, nil
}

// IndexSize implements docdb.IndexSizer.
func (c collection) IndexSize(ctx context.Context, doc bson.Raw) (int64, error) {
	if err := c.e.store.Begin(ctx); err != nil {
		return 0, err
	}
	defer c.e.store.Leave()
	co, err := c.e.catalog.Acquire(c.name)
	if err != nil {
		return 0, err
	}
	defer c.e.catalog.Release(co)
	state := co.State.Load()
	if state == nil {
		return 0, nil
	}
	m := c.e.writes.NewRecorder(ctx, state)
	defer m.Release()
	r := m.Record(doc)
	return int64(r.Size), r.Err
}

// sizeOf counts the keys that begin with a prefix, and adds them and their values up.
func (e *Engine) sizeOf(m *meter.Meter, prefix []byte) (n, inKeys, values int64, err error) {
	it, err := e.store.DB.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: keys.Successor(prefix)})
	if err != nil {
		return 0, 0, 0, err
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		value := it.LazyValue()
		inKeys, values = inKeys+int64(len(it.Key())), values+int64(value.Len())
		n++
		m.Take(store.StepsOfKey)
		err = m.Err()
	}
	if closeErr := it.Close(); err == nil {
		err = closeErr
	}
	return n, inKeys, values, err
}

var (
	_ docdb.Sizer      = collection{}
	_ docdb.IndexSizer = collection{}
)
