package tenant

import (
	"context"
	"sync"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// A gate counts the writes that this process has in progress on each
// organization's data, so that a move can wait for those that began before one of
// its steps. Who enters reads the organization after it has entered; so whoever
// enters after a change of the organization sees the change. A reading from before
// will do if there was no drain between it and the entry.
type gate struct {
	mu     sync.Mutex
	drains uint64 // how many have begun
	// waves are those with writes in progress, by organization. Writes enter
	// the last one unless it is closed.
	waves map[string][]*wave
}

// A wave is the writes that began between two drains.
type wave struct {
	inside int
	closed atomic.Bool   // nobody enters any more, and who has sent nothing yet begins again
	empty  chan struct{} // closed when it is closed and nobody is inside
}

// enter counts a write in; leave must be called with the same wave. It also returns
// how many drains there have been.
func (g *gate) enter(orgID string) (in *wave, drains uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waves == nil {
		g.waves = map[string][]*wave{}
	}
	waves := g.waves[orgID]
	if n := len(waves); n > 0 && !waves[n-1].closed.Load() {
		waves[n-1].inside++
		return waves[n-1], g.drains
	}
	w := &wave{inside: 1, empty: make(chan struct{})}
	g.waves[orgID] = append(waves, w)
	return w, g.drains
}

// drained returns how many drains there have been.
func (g *gate) drained() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.drains
}

// outdate lets nobody rely on a reading from before.
func (g *gate) outdate() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drains++
}

func (g *gate) leave(orgID string, w *wave) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.inside--; w.inside > 0 {
		return
	}
	if w.closed.Load() {
		close(w.empty)
	}
	kept := g.waves[orgID][:0]
	for _, other := range g.waves[orgID] {
		if other != w {
			kept = append(kept, other)
		}
	}
	if g.waves[orgID] = kept; len(kept) == 0 {
		delete(g.waves, orgID)
	}
}

// drain waits for every write that has entered before it was called, or for ctx.
func (g *gate) drain(ctx context.Context, orgID string) error {
	g.mu.Lock()
	g.drains++
	waves := append([]*wave(nil), g.waves[orgID]...)
	for _, w := range waves {
		w.closed.Store(true)
	}
	g.mu.Unlock()
	for _, w := range waves {
		select {
		case <-w.empty:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// gated is an organization's collection for a write that has entered. When somebody waits
// for the write it does not begin to change anything any more, but comes back as errMoved,
// to enter again: that is sooner for those who wait, and costs it little.
type gated struct {
	docdb.Collection
	s  *Store
	in *wave
}

func (g gated) open() error {
	if g.in.closed.Load() && !g.s.cfg.skip.drain {
		return errMoved
	}
	return nil
}

// Insert implements docdb.Collection.
func (g gated) Insert(ctx context.Context, doc bson.Raw) error {
	if err := g.open(); err != nil {
		return err
	}
	return g.Collection.Insert(ctx, doc)
}

// InsertMany implements docdb.Collection.
func (g gated) InsertMany(ctx context.Context, docs []bson.Raw) ([]error, error) {
	if err := g.open(); err != nil {
		return nil, err
	}
	return g.Collection.InsertMany(ctx, docs)
}

// Replace implements docdb.Collection.
func (g gated) Replace(ctx context.Context, id bson.RawValue, when docdb.Filter, doc bson.Raw) error {
	if err := g.open(); err != nil {
		return err
	}
	return g.Collection.Replace(ctx, id, when, doc)
}

// Delete implements docdb.Collection.
func (g gated) Delete(ctx context.Context, id bson.RawValue, when docdb.Filter) error {
	if err := g.open(); err != nil {
		return err
	}
	return g.Collection.Delete(ctx, id, when)
}
