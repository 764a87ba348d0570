package embedded

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/orgd/orgd/internal/docdb"
)

// closing counts the calls in progress, so that Close can wait for them.
type closing struct {
	state atomic.Int64 // the number of calls, plus closed once Close has begun
	once  sync.Once
	idle  chan struct{}
}

const closed = int64(1) << 62

// enter begins a call; ErrClosed if the engine is closed. A call within a call
// (from the body of a Find loop) must not wait for anything here, or Close
// between the two would stop all three.
func (c *closing) enter() error {
	if c.state.Add(1) >= closed {
		c.leave()
		return docdb.ErrClosed
	}
	return nil
}

func (c *closing) leave() {
	if c.state.Add(-1) == closed {
		c.once.Do(func() { close(c.idle) })
	}
}

// begun reports whether Close has begun: what takes long should end.
func (c *closing) begun() bool { return c.state.Load() >= closed }

// close waits for the calls in progress. It reports false if it was called before.
func (c *closing) close() bool {
	if c.state.Or(closed) >= closed {
		return false
	}
	if c.state.Load() == closed {
		c.once.Do(func() { close(c.idle) })
	}
	<-c.idle
	return true
}

// inflight knows the commits that readers may already see but that are not on disk
// yet: Pebble makes a batch visible before its log is synced. A scan, which
// can't hold the keys of what it is going to find, takes its iterator and
// then waits in settle for the commits that were in flight. That costs no sync of its
// own, and new commits don't prolong it.
type inflight struct {
	mu      sync.Mutex
	current *generation
	older   []*generation // those that someone waits for
}

// A generation is the commits begun between two calls of settle.
type generation struct {
	commits int
	done    chan struct{} // nil while nobody waits
}

func (f *inflight) begin() *generation {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == nil {
		f.current = new(generation)
	}
	f.current.commits++
	return f.current
}

// end says that a commit of g is on disk, or has failed and the engine with it.
func (f *inflight) end(g *generation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g.commits--
	if g.commits == 0 && g.done != nil {
		close(g.done)
		f.older = slices.DeleteFunc(f.older, func(o *generation) bool { return o == g })
	}
}

// settle waits for the commits that have begun.
func (f *inflight) settle(ctx context.Context) error {
	f.mu.Lock()
	if g := f.current; g != nil && g.commits > 0 {
		g.done = make(chan struct{})
		f.older = append(f.older, g)
		f.current = nil
	}
	wait := slices.Clone(f.older)
	f.mu.Unlock()
	for _, g := range wait {
		select {
		case <-g.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
