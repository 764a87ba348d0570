package tenant

import (
	"context"
	"sync"
)

// latest reads documents for many at once. Every read begins after it was asked
// for, so what it answers is no older than a read of one's own; but all who ask
// while one is under way share the next. That is Raft's ReadIndex: the more
// requests there are, the less each costs. What it returns is shared, and must
// not be changed.
type latest[T any, P record[T]] struct {
	table table[T, P]

	mu sync.Mutex
	// next are the reads that have not begun, by id; those who ask may join.
	next map[string]*reading[P]
	// busy are the ids that are being read.
	busy map[string]bool
}

type reading[P any] struct {
	done chan struct{}
	v    P
	err  error
}

// get is table.get. The read outlives the ctx of whoever asked first.
func (l *latest[T, P]) get(ctx context.Context, id string) (P, error) {
	return l.ask(ctx, id).wait(ctx)
}

// ask has a document read, and does not wait for it.
func (l *latest[T, P]) ask(ctx context.Context, id string) *reading[P] {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.next[id]
	if n == nil {
		if l.next == nil {
			l.next, l.busy = map[string]*reading[P]{}, map[string]bool{}
		}
		n = &reading[P]{done: make(chan struct{})}
		l.next[id] = n
		if !l.busy[id] {
			l.busy[id] = true
			go l.read(context.WithoutCancel(ctx), id)
		}
	}
	return n
}

// wait returns what was read.
func (n *reading[P]) wait(ctx context.Context) (P, error) {
	select {
	case <-n.done:
		return n.v, n.err
	case <-ctx.Done():
		var none P
		return none, ctx.Err()
	}
}

// read reads until nobody waits.
func (l *latest[T, P]) read(ctx context.Context, id string) {
	for {
		l.mu.Lock()
		n := l.next[id]
		if n == nil {
			delete(l.busy, id)
			l.mu.Unlock()
			return
		}
		delete(l.next, id)
		l.mu.Unlock()
		n.v, n.err = l.table.get(ctx, id)
		close(n.done)
	}
}

// organization reads an organization for a request, on a shared engine together with
// others that ask for it. What it returns must not be changed.
func (s *Store) organization(ctx context.Context, id string) (*organization, error) {
	if s.cfg.Exclusive { // where a read costs less than to share it
		return s.organizations.get(ctx, id)
	}
	drains := s.gate.drained()
	o, err := s.sharedOrganizations.get(ctx, id)
	if err == nil {
		s.seen.saw(o, drains)
	}
	return o, err
}
