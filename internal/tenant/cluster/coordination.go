// Package cluster is how the processes that share the databases act together: each says
// that it is alive, and tells movers when the writes that it had in progress are over.
package cluster

import (
	"context"
)

// Coordination is what a process has to do with the others.
type Coordination interface {
	// Alone reports whether no other process can use the databases: then what is unfinished
	// has no owner, no message is late, and what this process does not change does not change.
	Alone() bool
	// Join enters this process among the others, and Leave takes it out.
	Join(ctx context.Context) error
	Leave(ctx context.Context)
	// Beat says that this process is alive, and answers what moves of the others ask of it.
	Beat(ctx context.Context) error
	// Member is the instance that this process is at this moment; it may be another later.
	Member() string
	// Evicted reports whether the instance of that id was taken for dead, so that a
	// move may not have waited for its writes.
	Evicted(ctx context.Context, member string) (bool, error)
	// CheckTouch refuses a write when this process has not been able to say for some
	// time that it is alive: a mover may be about to take it for dead.
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

// Member implements Coordination.
func (Single) Member() string { return "" }

// Evicted implements Coordination.
func (Single) Evicted(context.Context, string) (bool, error) { return false, nil }

// CheckTouch implements Coordination.
func (Single) CheckTouch() error { return nil }

// DrainOthers implements Coordination.
func (Single) DrainOthers(context.Context, string) error { return nil }
