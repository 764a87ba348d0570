package store

import (
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

// begun reports whether Close has begun: work that takes long should end.
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

// inProgress is how many calls there are.
func (c *closing) inProgress() int64 { return c.state.Load() &^ closed }
