package embedded

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/embedded/record"
	"github.com/orgd/orgd/internal/docdb/embedded/store"
	"github.com/orgd/orgd/internal/docdb/meter"
)

// CreateIndex implements docdb.Collection. Writers to the collection wait while
// it is built, readers don't. When its context ends, or Close begins, before it is
// there for good, nothing is changed.
func (c collection) CreateIndex(ctx context.Context, ix docdb.Index) error {
	if err := docdb.ValidateIndex(ix); err != nil {
		return err
	}
	return c.change(ctx, func(co *catalog.Collection, state *catalog.State) error {
		if state == nil {
			return c.noCollection()
		}
		for _, other := range state.Indexes {
			sameKeys := slices.Equal(other.Keys, ix.Keys)
			if other.Name == ix.Name && sameKeys && other.Unique == ix.Unique {
				return nil
			}
			if other.Name == ix.Name || sameKeys {
				return fmt.Errorf("%w: index %q of collection %q", docdb.ErrExists, other.Name, c.name.Collection)
			}
		}
		if len(state.Indexes) >= docdb.MaxIndexes {
			return fmt.Errorf("%w: collection %q has %d indexes already, the most there may be", docdb.ErrInvalid, c.name.Collection, docdb.MaxIndexes)
		}
		return c.e.newBuilder(state, ix).build(ctx, co)
	})
}

// DropIndex implements docdb.Collection.
func (c collection) DropIndex(ctx context.Context, name string) error {
	return c.change(ctx, func(co *catalog.Collection, state *catalog.State) error {
		if state == nil {
			return fmt.Errorf("%w: index %q", docdb.ErrNotFound, name)
		}
		i := slices.IndexFunc(state.Indexes, func(ix *catalog.Index) bool { return ix.Name == name })
		if i < 0 {
			return fmt.Errorf("%w: index %q", docdb.ErrNotFound, name)
		}
		next := *state
		next.Indexes = slices.Delete(slices.Clone(state.Indexes), i, i+1)
		batch := c.e.store.DB.NewBatch()
		if err := c.e.store.DeleteAll(batch, keys.Index(state.ID, state.Indexes[i].ID)); err != nil {
			return err
		}
		return c.e.catalog.SetState(co, batch, &next, true)
	})
}

// Indexes implements docdb.Collection.
func (c collection) Indexes(ctx context.Context) ([]docdb.Index, error) {
	if err := c.e.store.Begin(ctx); err != nil {
		return nil, err
	}
	defer c.e.store.Leave()
	co, err := c.e.catalog.Acquire(c.name)
	if err != nil {
		return nil, err
	}
	defer c.e.catalog.Release(co)
	indexes := []docdb.Index{}
	if state := co.State.Load(); state != nil {
		for _, ix := range state.Indexes {
			indexes = append(indexes, docdb.Index{Name: ix.Name, Keys: slices.Clone(ix.Keys), Unique: ix.Unique})
		}
	}
	return indexes, nil
}

// A builder makes an index of what is in a collection, to which nothing is
// written meanwhile. The catalog is written last; until then the entries are under a
// number that nothing refers to. If there are too many for one batch, a key says
// that they are being made, by which Open finds what a crash left of them.
type builder struct {
	e       *Engine
	coll    uint32
	ix      *catalog.Index
	next    *catalog.State // the collection with the index
	batch   *pebble.Batch  // indexed if the index is unique, to find duplicates in it
	spilled bool           // a part of the entries was committed
}

func (e *Engine) newBuilder(state *catalog.State, ix docdb.Index) *builder {
	ix.Keys = slices.Clone(ix.Keys)
	b := &builder{e: e, coll: state.ID, ix: &catalog.Index{Index: ix, ID: state.NextIndex}}
	b.next = &catalog.State{ID: state.ID, NextIndex: state.NextIndex + 1, Indexes: append(slices.Clone(state.Indexes), b.ix)}
	slices.SortFunc(b.next.Indexes, func(x, y *catalog.Index) int { return strings.Compare(x.Name, y.Name) })
	return b
}

func (b *builder) build(ctx context.Context, co *catalog.Collection) error {
	if err := b.clear(); err != nil {
		return err
	}
	b.newBatch()
	if err := b.addAll(ctx); err != nil {
		return b.undo(err)
	}
	if b.spilled {
		if err := b.batch.Delete(keys.Building(b.coll, b.ix.ID), nil); err != nil {
			return b.undo(err)
		}
	}
	if err := b.e.catalog.SetState(co, b.batch, b.next, false); err != nil {
		return b.undo(err)
	}
	return nil
}

func (b *builder) newBatch() {
	if b.ix.Unique {
		b.batch = b.e.store.DB.NewIndexedBatch()
	} else {
		b.batch = b.e.store.DB.NewBatch()
	}
}

// stepsOfBuilding is about what it takes to make a document's entries and to write them, as
// steps of a meter.
const stepsOfBuilding = 4 * store.StepsOfKey

// addAll adds the entries of all documents.
func (b *builder) addAll(ctx context.Context) (err error) {
	prefix := keys.Documents(b.coll)
	it, err := b.e.store.DB.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: keys.Successor(prefix)})
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := it.Close(); err == nil {
			err = closeErr
		}
	}()
	meter := meter.New(ctx)
	defer meter.Done()
	for ok := it.First(); ok; ok = it.Next() {
		if err := b.ended(ctx); err != nil {
			return err
		}
		meter.Take(stepsOfBuilding)
		if err := meter.Err(); err != nil {
			return err
		}
		doc, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := b.add(ctx, doc, it.Key()[len(prefix):]); err != nil {
			return err
		}
	}
	return it.Error()
}

// ended is why the index is not to be made any more.
func (b *builder) ended(ctx context.Context) error {
	if b.e.store.Closing() {
		return docdb.ErrClosed
	}
	return ctx.Err()
}

// add adds the entries of a document; *docdb.DuplicateError if one is taken.
func (b *builder) add(ctx context.Context, doc, id []byte) error {
	m := b.e.writes.NewRecorder(ctx, b.next)
	defer m.Release()
	entries, err := m.EntriesIn(b.ix, doc, id)
	if err != nil {
		return err
	}
	for _, en := range entries {
		if en.Unique != nil {
			other, err := record.Taken(b.batch, en, id)
			if err != nil {
				return err
			}
			if other {
				return &docdb.DuplicateError{Index: b.ix.Name}
			}
		}
		if err := b.batch.Set(en.Key, en.Value, nil); err != nil {
			return err
		}
		if b.batch.Len() >= store.MaxBatch {
			if err := b.spill(); err != nil {
				return err
			}
		}
	}
	return nil
}

// spill commits what there is. It need not be synced: the log keeps the order.
func (b *builder) spill() error {
	full := b.batch
	b.newBatch()
	if !b.spilled {
		mark := b.e.store.DB.NewBatch()
		if err := mark.Set(keys.Building(b.coll, b.ix.ID), nil, nil); err != nil {
			return err
		}
		if err := b.e.store.Commit(mark, false, false); err != nil {
			return err
		}
		b.spilled = true
	}
	return b.e.store.Commit(full, false, false)
}

// undo removes what was committed. While nothing can be written that is left to who
// uses the number next, or to Open.
func (b *builder) undo(cause error) error {
	if b.spilled {
		_ = b.clear()
	}
	return cause
}

// clear removes what there is of an index under the number that is being made, or was
// and could not be undone.
func (b *builder) clear() error {
	building := keys.Building(b.coll, b.ix.ID)
	there, err := b.e.store.Has(building)
	if err != nil || !there {
		return err
	}
	batch := b.e.store.DB.NewBatch()
	if err := deleteUnfinished(batch, building); err != nil {
		return err
	}
	return b.e.store.Commit(batch, false, true)
}

// deleteUnfinished adds to a batch the removal of an index's entries and of the
// key that says they are being made.
func deleteUnfinished(batch *pebble.Batch, building []byte) error {
	coll, ix := keys.ParseBuilding(building)
	prefix := keys.Index(coll, ix)
	if err := batch.DeleteRange(prefix, keys.Successor(prefix), nil); err != nil {
		return err
	}
	return batch.Delete(building, nil)
}

// sweepUnfinishedIndexes removes what a crash left of indexes being built.
func sweepUnfinishedIndexes(s *store.Store) error {
	prefix := []byte{keys.SpaceBuilding}
	it, err := s.DB.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: keys.Successor(prefix)})
	if err != nil {
		return err
	}
	batch := s.DB.NewBatch()
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		err = deleteUnfinished(batch, slices.Clone(it.Key()))
	}
	if closeErr := it.Close(); err == nil {
		err = closeErr
	}
	if err != nil || batch.Empty() {
		return err
	}
	return s.Commit(batch, true, true)
}
