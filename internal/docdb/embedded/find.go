package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/meter"
)

// A page is what Find reads at a time. Pages grow, so that a caller who wants
// one document doesn't wait for a thousand.
const (
	firstPage = 32
	maxPage   = 1024
	pageBytes = 512 << 10 // a page that has more is full
)

// Find implements docdb.Collection. Close waits for it until the caller's loop
// ends.
func (c collection) Find(ctx context.Context, q docdb.Query) iter.Seq2[bson.Raw, error] {
	return func(yield func(bson.Raw, error) bool) {
		if err := c.e.begin(ctx); err != nil {
			yield(nil, err)
			return
		}
		defer c.e.calls.leave()
		s, err := newScan(q)
		if err == nil {
			s.room, s.meter = meter.RoomOf(ctx), meter.New(ctx)
		}
		for err == nil && !s.done {
			s.docs, s.size = s.docs[:0], 0
			if err = c.read(ctx, s); err == nil {
				err = s.full
			}
			for i, doc := range s.docs {
				if ctxErr := ctx.Err(); ctxErr != nil {
					err = ctxErr
					break
				}
				s.docs[i] = nil // the caller may let go of it before the page ends
				if !yield(doc, nil) {
					return
				}
			}
			s.page = min(s.page*4, maxPage)
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// Count implements docdb.Collection. Without a filter, and where an index on one path
// answers all of the filter, it reads no documents, but still all keys.
func (c collection) Count(ctx context.Context, f docdb.Filter) (int64, error) {
	if err := c.e.begin(ctx); err != nil {
		return 0, err
	}
	defer c.e.calls.leave()
	s := &scan{query: docdb.Query{Filter: f}, counting: true, meter: meter.New(ctx)}
	for !s.done {
		if err := c.read(ctx, s); err != nil {
			return 0, err
		}
	}
	return s.count, nil
}

// A scan is a Find or Count on its way.
type scan struct {
	query docdb.Query
	after *place // where the next page begins; nil: at the beginning
	coll  uint32 // the collection's number, once a page was read
	done  bool
	meter *meter.Meter

	page, size int
	docs       []bson.Raw // the page
	room       meter.Room
	full       error // why a document did not get onto it

	counting bool
	count    int64  // documents found
	by       uint32 // the index in whose order they are counted; 0: by _id
}

// newScan returns the scan of a query; docdb.ErrInvalid if the position has not
// the order's keys.
func newScan(q docdb.Query) (*scan, error) {
	s := &scan{query: q, page: firstPage}
	if q.Limit > 0 {
		s.page = min(q.Limit, maxPage)
	}
	if q.After == nil {
		return s, nil
	}
	if len(q.After.Keys) != len(q.Order) {
		return nil, fmt.Errorf("%w: a position of %d keys in an order of %d", docdb.ErrInvalid, len(q.After.Keys), len(q.Order))
	}
	s.after = &place{keys.AppendTuple(nil, q.Order, q.After.Keys), keys.AppendValue(nil, q.After.ID)}
	return s, nil
}

// add takes a document and reports whether the scan wants more of them now.
func (s *scan) add(doc bson.Raw) (more bool) {
	s.count++
	if !s.counting {
		if s.full = s.room(len(doc)); s.full != nil {
			return false
		}
		s.docs = append(s.docs, bytes.Clone(doc))
		s.size += len(doc)
	}
	if s.query.Limit > 0 && s.count == int64(s.query.Limit) {
		s.done = true
		return false
	}
	return s.counting || len(s.docs) < s.page && s.size < pageBytes
}

// read reads the next page, or counts for a while. What it has read is on disk.
func (c collection) read(ctx context.Context, s *scan) error {
	co, err := c.e.catalog.acquire(c.name)
	if err != nil {
		return err
	}
	defer c.e.catalog.release(co)
	for {
		state := co.state.Load()
		if s.coll != 0 && (state == nil || state.id != s.coll) {
			return fmt.Errorf("%w: %q was dropped while it was read", docdb.ErrNoCollection, c.name.collection)
		}
		if state == nil {
			return s.readNothing()
		}
		stale, err := c.e.readView(ctx, co, state, s)
		if err != nil {
			return err
		}
		if !stale {
			s.coll = state.id
			return nil
		}
	}
}

// readNothing reads a collection that does not exist.
func (s *scan) readNothing() error {
	if len(s.query.Order) > 0 {
		return fmt.Errorf("%w: %v", docdb.ErrNoIndex, s.query.Order)
	}
	s.done = true
	return nil
}

// readView reads a page in one view of the database; stale says that the
// collection's state changed before the view was taken.
func (e *Engine) readView(ctx context.Context, co *coll, state *collState, s *scan) (stale bool, err error) {
	prefix := keys.Collection(state.id)
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: keys.Successor(prefix)})
	if err != nil {
		return false, err
	}
	w := &walk{e: e, state: state, query: s.query, after: s.after, it: it, visit: s.add,
		pause: newPause(s.meter, e.maxWalk)}
	defer func() {
		s.meter.Done() // before anything is waited for
		if closeErr := w.close(); err == nil {
			err = closeErr
		}
	}()
	if err := co.inflight.settle(ctx); err != nil {
		return false, err
	}
	if co.state.Load() != state {
		return true, nil
	}
	if err := e.health.Err(); err != nil { // what was waited for may have failed
		return false, err
	}
	if err := w.choosePlan(s.counting); err != nil {
		return false, err
	}
	if by := w.plan.order(); s.counting && s.by != by {
		// The index was dropped, created, or met its first array: begin again.
		s.by, s.count, w.after = by, 0, nil
	}
	done, err := w.run()
	if errors.Is(err, errPause) {
		err = nil
	}
	s.after, s.done = w.after, s.done || done
	return false, err
}

// choosePlan plans the walk on the view it is going to walk.
func (w *walk) choosePlan(counting bool) error {
	conditions, all := w.query.Filter.Conditions()
	p := planner{state: w.state, query: w.query, conditions: conditions, hasMulti: w.hasMulti}
	if counting {
		var err error
		w.plan, w.bare, err = p.planCount(all)
		return err
	}
	var err error
	w.plan, err = p.plan()
	return err
}

// hasMulti reports whether a document has several entries in an index.
func (w *walk) hasMulti(ix *index) (bool, error) {
	prefix := append(keys.Index(w.state.id, ix.id), keys.IndexMulti)
	w.it.SetBounds(prefix, keys.Successor(prefix))
	return w.it.First(), w.it.Error()
}
