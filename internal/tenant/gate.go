package tenant

import (
	"context"
	"sync"
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
	closed bool          // nobody enters any more
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
	if n := len(waves); n > 0 && !waves[n-1].closed {
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
	if w.closed {
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
		w.closed = true
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
