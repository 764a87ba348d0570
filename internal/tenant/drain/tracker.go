// Package drain counts the writes that are in progress, so that a change can wait for
// those that began before it.
package drain

import (
	"context"
	"sync"
	"sync/atomic"
)

// A Tracker counts the writes that this process has in progress on each
// organization's data, so that a move can wait for those that began before one of
// its steps. A write reads the organization after it has entered; so a write that
// enters after a change of the organization sees the change. An organization that was read
// before will do if no drain began between the reading and the entry.
type Tracker struct {
	mu     sync.Mutex
	drains uint64 // how many have begun
	// cohorts are those with writes in progress, by organization. Writes enter
	// the last one unless it is closed.
	cohorts map[string][]*Cohort
}

// A Cohort is the writes that began between two drains.
type Cohort struct {
	inside int
	closed atomic.Bool   // no write enters any more
	empty  chan struct{} // closed when the cohort is closed and no write is inside
}

// Closed reports whether a drain waits for the cohort's writes. One that has not sent
// anything yet begins again: that is sooner for the drain, and costs the write little.
func (c *Cohort) Closed() bool { return c.closed.Load() }

// Enter counts a write in; Leave must be called with the same cohort. It also returns
// how many drains have begun.
func (t *Tracker) Enter(orgID string) (in *Cohort, drains uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cohorts == nil {
		t.cohorts = map[string][]*Cohort{}
	}
	cohorts := t.cohorts[orgID]
	if n := len(cohorts); n > 0 && !cohorts[n-1].closed.Load() {
		cohorts[n-1].inside++
		return cohorts[n-1], t.drains
	}
	c := &Cohort{inside: 1, empty: make(chan struct{})}
	t.cohorts[orgID] = append(cohorts, c)
	return c, t.drains
}

// Drains returns how many drains have begun.
func (t *Tracker) Drains() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.drains
}

// Outdate makes every organization that was read before too old to rely on.
func (t *Tracker) Outdate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drains++
}

// Leave counts a write out.
func (t *Tracker) Leave(orgID string, c *Cohort) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.inside--; c.inside > 0 {
		return
	}
	if c.closed.Load() {
		close(c.empty)
	}
	kept := t.cohorts[orgID][:0]
	for _, other := range t.cohorts[orgID] {
		if other != c {
			kept = append(kept, other)
		}
	}
	if t.cohorts[orgID] = kept; len(kept) == 0 {
		delete(t.cohorts, orgID)
	}
}

// Drain waits for every write that has entered before it was called, or for ctx.
func (t *Tracker) Drain(ctx context.Context, orgID string) error {
	t.mu.Lock()
	t.drains++
	cohorts := append([]*Cohort(nil), t.cohorts[orgID]...)
	for _, c := range cohorts {
		c.closed.Store(true)
	}
	t.mu.Unlock()
	for _, c := range cohorts {
		select {
		case <-c.empty:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
