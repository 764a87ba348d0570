// Package cluster coordinates the processes that share the databases: each records that it is alive,
// and tells movers when the writes that it had in progress are over.
package cluster

import (
	"context"
)

// Coordination is a process's part in the coordination with the others.
type Coordination interface {
	// Alone reports whether no other process can use the databases: then unfinished operations
	// have no owner, no message is late, and nothing changes but by this process.
	Alone() bool
	// Join registers this process, which else its first write does. Leave removes it, and lets no
	// write begin any more.
	Join(ctx context.Context) error
	Leave(ctx context.Context)
	// Beat records that this process is alive, and answers the moves of the others.
	Beat(ctx context.Context) error
	// BeginWrite counts a write that begins, before it reads what it relies on, and returns the id of
	// the instance that it belongs to; EndWrite is called when its outcome is decided. In between
	// movers wait for the writes of this process, unless they take it for dead.
	BeginWrite(ctx context.Context) (member string, err error)
	EndWrite()
	// Member returns the id of the instance that this process is at this moment, empty if it is none.
	Member() string
	// Evicted reports whether the instance of that id was taken for dead, so that a
	// move may not have waited for its writes.
	Evicted(ctx context.Context, member string) (bool, error)
	// CheckTouch refuses a write if this process could not record for some time that it is
	// alive: a mover may be about to take it for dead.
	CheckTouch() error
	// DrainOthers waits until every write on the organization that had begun in another
	// process when it was called is over.
	DrainOthers(ctx context.Context, orgID string) error
}

// Single is the Coordination of a process that is alone.
type Single struct{}

// Alone implements Coordination.
func (Single) Alone() bool { return true }

// Join implements Coordination.
func (Single) Join(context.Context) error { return nil }

// Leave implements Coordination.
func (Single) Leave(context.Context) {}

// Beat implements Coordination.
func (Single) Beat(context.Context) error { return nil }

// BeginWrite implements Coordination.
func (Single) BeginWrite(context.Context) (string, error) { return "", nil }

// EndWrite implements Coordination.
func (Single) EndWrite() {}

// Member implements Coordination.
func (Single) Member() string { return "" }

// Evicted implements Coordination.
func (Single) Evicted(context.Context, string) (bool, error) { return false, nil }

// CheckTouch implements Coordination.
func (Single) CheckTouch() error { return nil }

// DrainOthers implements Coordination.
func (Single) DrainOthers(context.Context, string) error { return nil }
