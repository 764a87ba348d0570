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
// its steps. A write reads the organization after it has entered, so a write that enters after a
// change of the organization sees the change. A write may use an organization that was read before if
// no drain began between the reading and the entry.
type Tracker struct {
	mu     sync.Mutex
	drains uint64 // how many have begun
	// cohorts are the cohorts with writes in progress, by organization. Writes enter the last
	// cohort, or a new one if it is closed.
	cohorts map[string][]*Cohort
}

// A Cohort is the writes that began between two drains.
type Cohort struct {
	inside int
	closed atomic.Bool   // no write enters any more
	empty  chan struct{} // closed when the cohort is closed and no write is inside
}

// Closed reports whether a drain waits for the cohort's writes. A write that has not sent anything yet
// then enters again: the drain ends sooner, and the write loses little.
func (c *Cohort) Closed() bool { return c.closed.Load() }

// Enter counts a write that begins; the caller calls Leave with the same cohort. Enter also returns how
// many drains have begun.
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

// Outdate makes every organization that was read before it too old for writes to rely on.
func (t *Tracker) Outdate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drains++
}

// Leave ends the count of a write.
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

// Drain waits until every write that entered before it was called has left, or ctx ends.
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
