// Package scan answers queries: it plans which keys to walk over (plan.go), walks over them in
// one view of the database at a time (walk.go), sorts long keys that begin alike (group.go),
// and hands out documents page by page.
package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/embedded/store"
	"github.com/orgd/orgd/internal/docdb/meter"
)

// A page is what Find reads at a time. Pages grow, so that a caller that wants
// one document does not wait for a thousand.
const (
	firstPage = 32
	maxPage   = 1024
	pageBytes = 512 << 10 // a page that has more is full
)

// A Source is the collection that a scan reads.
type Source struct {
	Store   *store.Store
	Catalog *catalog.Catalog
	Name    catalog.Name
	MaxWalk time.Duration // how long a walk holds on to one view of the database: see the constant MaxWalk
}

// A Scan is a Find or Count on its way.
type Scan struct {
	Source
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

// New returns the scan of a query; docdb.ErrInvalid if the position has not
// the order's keys.
func New(ctx context.Context, from Source, q docdb.Query) (*Scan, error) {
	s := &Scan{Source: from, query: q, page: firstPage, room: meter.RoomOf(ctx), meter: meter.New(ctx)}
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

// Count returns how many documents of the source satisfy the filter.
func Count(ctx context.Context, from Source, f docdb.Filter) (int64, error) {
	s := &Scan{Source: from, query: docdb.Query{Filter: f}, counting: true, meter: meter.New(ctx)}
	for !s.done {
		if err := s.read(ctx); err != nil {
			return 0, err
		}
	}
	return s.count, nil
}

// More reports whether there is another page.
func (s *Scan) More() bool { return !s.done }

// Next returns the next page. Beside an error there are the documents that were read
// before it.
func (s *Scan) Next(ctx context.Context) ([]bson.Raw, error) {
	s.docs, s.size = s.docs[:0], 0
	err := s.read(ctx)
	if err == nil {
		err = s.full
	}
	s.page = min(s.page*4, maxPage)
	return s.docs, err
}

// add takes a document and reports whether the scan wants more of them now.
func (s *Scan) add(doc bson.Raw) (more bool) {
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
func (s *Scan) read(ctx context.Context) error {
	co, err := s.Catalog.Acquire(s.Name)
	if err != nil {
		return err
	}
	defer s.Catalog.Release(co)
	for {
		state := co.State.Load()
		if s.coll != 0 && (state == nil || state.ID != s.coll) {
			return fmt.Errorf("%w: %q was dropped while it was read", docdb.ErrNoCollection, s.Name.Collection)
		}
		if state == nil {
			return s.readNothing()
		}
		stale, err := s.readView(ctx, co, state)
		if err != nil {
			return err
		}
		if !stale {
			s.coll = state.ID
			return nil
		}
	}
}

// readNothing reads a collection that does not exist.
func (s *Scan) readNothing() error {
	if len(s.query.Order) > 0 {
		return fmt.Errorf("%w: %v", docdb.ErrNoIndex, s.query.Order)
	}
	s.done = true
	return nil
}

// readView reads a page in one view of the database; stale says that the
// collection's state changed before the view was taken.
func (s *Scan) readView(ctx context.Context, co *catalog.Collection, state *catalog.State) (stale bool, err error) {
	prefix := keys.Collection(state.ID)
	it, err := s.Store.DB.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: keys.Successor(prefix)})
	if err != nil {
		return false, err
	}
	w := &walk{state: state, query: s.query, after: s.after, it: it, visit: s.add,
		pause: newPause(s.meter, s.MaxWalk)}
	defer func() {
		s.meter.Done() // before anything is waited for
		if closeErr := w.close(); err == nil {
			err = closeErr
		}
	}()
	if err := co.Inflight.Settle(ctx); err != nil {
		return false, err
	}
	if co.State.Load() != state {
		return true, nil
	}
	if err := s.Store.Health.Err(); err != nil { // what was waited for may have failed
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
func (w *walk) hasMulti(ix *catalog.Index) (bool, error) {
	prefix := append(keys.Index(w.state.ID, ix.ID), keys.IndexMulti)
	w.it.SetBounds(prefix, keys.Successor(prefix))
	return w.it.First(), w.it.Error()
}
