package locks

import (
	"context"
	"slices"
	"sync"
)

// Commits are the commits that readers may already see but that are not on disk
// yet: Pebble makes a batch visible before its log is synced. A scan, which
// cannot hold the keys of documents that it has yet to find, takes its iterator and
// then waits in Settle for the commits that were in flight. That costs no sync of its
// own, and new commits don't prolong it.
type Commits struct {
	mu      sync.Mutex
	current *Generation
	older   []*Generation // those that a scan waits for
}

// A Generation is the commits begun between two calls of Settle.
type Generation struct {
	commits int
	done    chan struct{} // nil while no scan waits
}

// Begin says that a commit is about to be made, of the generation that it returns.
func (f *Commits) Begin() *Generation {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == nil {
		f.current = new(Generation)
	}
	f.current.commits++
	return f.current
}

// End says that a commit of g is on disk, or has failed and the engine with it.
func (f *Commits) End(g *Generation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g.commits--
	if g.commits == 0 && g.done != nil {
		close(g.done)
		f.older = slices.DeleteFunc(f.older, func(o *Generation) bool { return o == g })
	}
}

// Settle waits for the commits that have begun.
func (f *Commits) Settle(ctx context.Context) error {
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
