// Package batch makes one request of calls that arrive at the same time, as a database's group
// commit does: calls that arrive during a request wait for its end and then go together. A lone
// call is as quick as without batches, and the more calls there are, the less each costs the
// server: one message and, for writes, one wait for the journal and the majority.
package batch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/docdb/mongodb/outcome"
)

// A Group makes batches of calls on the same collection. The first call goes at once and alone.
// Calls that arrive meanwhile wait for its end, and go together. Two batches of a collection at a
// time, or a pause between them, were slower when measured.
//
// The answer to a call is as if it had gone alone: its batch begins after the call was made.
type Group[Q, A any] struct {
	Writes bool // a call whose batch was sent waits for its answer or its deadline, even if it is cancelled

	mu     sync.Mutex
	queues map[string]*queue[Q, A] // by namespace; present while a call is in progress
}

const (
	// A batch is full at either of these, counted with its last call.
	maxBatch      = 64
	maxBatchBytes = 256 << 10
	// maxWait is how long a call may keep others waiting, so that a call that hangs does
	// not hold up a whole collection.
	maxWait = 100 * time.Millisecond
	// MaxItem is the size of the largest document for a batch. A larger document would keep the
	// others waiting.
	MaxItem = 64 << 10
)

// A queue is the calls that wait for the next batch of a collection.
type queue[Q, A any] struct {
	waiting []*Call[Q, A]
}

// A Call is a call in a batch.
type Call[Q, A any] struct {
	Query  Q
	size   int
	done   chan struct{} // closed when Answer and Err are set
	Answer A
	Err    error
}

// Errors of calls whose context has ended before the answer.
var (
	ErrNotBegun = errors.New("nothing was sent")
	ErrBegun    = errors.New("the answer was not waited for")
)

// Do answers query, of that many bytes: by alone, or by together in a batch with other calls.
// together sets Answer or Err of each call. When ctx ends before the answer, the error is
// ErrNotBegun, or ErrBegun if the batch has begun, which a Group that Writes returns only at
// the deadline of ctx.
func (b *Group[Q, A]) Do(ctx context.Context, ns string, query Q, size int, alone func() (A, error), together func([]*Call[Q, A])) (A, error) {
	b.mu.Lock()
	l := b.queues[ns]
	if l == nil {
		if b.queues == nil {
			b.queues = map[string]*queue[Q, A]{}
		}
		l = &queue[Q, A]{}
		b.queues[ns] = l
		b.mu.Unlock()
		defer b.after(ns, l, together)
		return alone()
	}
	x := &Call[Q, A]{Query: query, size: size, done: make(chan struct{})}
	l.waiting = append(l.waiting, x)
	b.mu.Unlock()
	return b.wait(ctx, l, x, alone)
}

// wait waits for the answer of a call in the queue, and lets it go alone after maxWait.
func (b *Group[Q, A]) wait(ctx context.Context, l *queue[Q, A], x *Call[Q, A], alone func() (A, error)) (A, error) {
	patience := time.NewTimer(maxWait)
	defer patience.Stop()
	for {
		var none A
		select {
		case <-x.done:
			return x.Answer, x.Err
		case <-patience.C:
			if b.withdraw(l, x) {
				return alone()
			}
		case <-ctx.Done():
			if b.withdraw(l, x) {
				return none, ErrNotBegun
			}
			return b.waitOn(ctx, x)
		}
	}
}

// waitOn waits for a batch that has begun, when ctx has ended.
func (b *Group[Q, A]) waitOn(ctx context.Context, x *Call[Q, A]) (A, error) {
	if b.Writes {
		var cancel context.CancelFunc
		ctx, cancel = outcome.Followed(ctx)
		defer cancel()
	}
	select {
	case <-x.done:
		return x.Answer, x.Err
	case <-ctx.Done():
		var none A
		return none, ErrBegun
	}
}

// withdraw takes a waiting call out of the queue; it returns false if the call has gone.
func (b *Group[Q, A]) withdraw(l *queue[Q, A], x *Call[Q, A]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := slices.Index(l.waiting, x)
	if at < 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, at, at+1)
	return true
}

// after sends the batches that wait, when a call has ended.
func (b *Group[Q, A]) after(ns string, l *queue[Q, A], together func([]*Call[Q, A])) {
	if next := b.next(ns, l); len(next) > 0 {
		go func() {
			for ; len(next) > 0; next = b.next(ns, l) {
				together(next)
				for _, x := range next {
					close(x.done)
				}
			}
		}()
	}
}

// next takes the next batch out of the queue. When no call waits, the batch is empty and the
// queue is gone.
func (b *Group[Q, A]) next(ns string, l *queue[Q, A]) []*Call[Q, A] {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, size := 0, 0
	for n < len(l.waiting) && n < maxBatch && size < maxBatchBytes {
		size += l.waiting[n].size
		n++
	}
	batch := slices.Clone(l.waiting[:n])
	l.waiting = slices.Delete(l.waiting, 0, n)
	if n == 0 {
		delete(b.queues, ns)
	}
	return batch
}
