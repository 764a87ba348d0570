package master

import (
	"context"
	"sync"
)

// Coalesced reads documents for many requests at once. Requests that arrive while a read of the same
// document is in progress share the next read. So every read begins after its requests, and its result
// is no older than that of a read for one request, but the more requests there are, the less each
// costs, as with Raft's ReadIndex. The result is shared, and must not be changed.
type Coalesced[T any, P Record[T]] struct {
	Table Table[T, P]

	mu sync.Mutex
	// next are the reads that have not begun, by id; requests may join them.
	next map[string]*Reading[P]
	// busy are the ids that are being read.
	busy map[string]bool
}

// A Reading is a read that requests wait for.
type Reading[P any] struct {
	done chan struct{}
	v    P
	err  error
}

// Get is Table.Get. The read outlives the ctx of its first request.
func (l *Coalesced[T, P]) Get(ctx context.Context, id string) (P, error) {
	return l.Begin(ctx, id).Wait(ctx)
}

// Begin begins to read a document, and does not wait for it.
func (l *Coalesced[T, P]) Begin(ctx context.Context, id string) *Reading[P] {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.next[id]
	if n == nil {
		if l.next == nil {
			l.next, l.busy = map[string]*Reading[P]{}, map[string]bool{}
		}
		n = &Reading[P]{done: make(chan struct{})}
		l.next[id] = n
		if !l.busy[id] {
			l.busy[id] = true
			go l.read(context.WithoutCancel(ctx), id)
		}
	}
	return n
}

// Wait waits for the document.
func (n *Reading[P]) Wait(ctx context.Context) (P, error) {
	select {
	case <-n.done:
		return n.v, n.err
	case <-ctx.Done():
		var none P
		return none, ctx.Err()
	}
}

// read reads the document until no request waits for it.
func (l *Coalesced[T, P]) read(ctx context.Context, id string) {
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
		n.v, n.err = l.Table.Get(ctx, id)
		close(n.done)
	}
}
