// Package call runs the calls of one engine: it bounds their time, follows writes to their
// outcome, retries conflicts, translates errors, and waits for the calls in progress when the
// engine closes.
package call

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb/connection"
	"github.com/orgd/orgd/internal/docdb/mongodb/outcome"
)

// A Runner runs the calls of one engine.
type Runner struct {
	timeout time.Duration
	Errors  outcome.Translator

	life context.Context // ends when Close begins
	end  context.CancelFunc

	mu     sync.Mutex // guards closed, and calls.Add against the calls.Wait of Close
	closed bool
	calls  sync.WaitGroup
}

// NewRunner returns a runner. A call takes at most timeout, unless its context has a deadline.
func NewRunner(ctx context.Context, timeout time.Duration, secrets connection.Secrets) *Runner {
	r := &Runner{timeout: timeout, Errors: outcome.Translator{Secrets: secrets}}
	r.life, r.end = context.WithCancel(context.WithoutCancel(ctx))
	return r
}

// Close refuses calls from now on, and waits for the calls in progress. It returns false if Close
// was called before.
func (r *Runner) Close() bool {
	r.mu.Lock()
	closed := r.closed
	r.closed = true
	r.mu.Unlock()
	if closed {
		return false
	}
	r.end()
	r.calls.Wait()
	return true
}

// Enter begins a call; if it returns nil, Leave ends the call.
func (r *Runner) Enter() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return docdb.ErrClosed
	}
	r.calls.Add(1)
	return nil
}

// Leave ends a call.
func (r *Runner) Leave() { r.calls.Done() }

// Bounded gives a context without a deadline the timeout of the runner.
func (r *Runner) Bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, r.timeout)
}

// Read runs a call that changes nothing. The driver retries it by itself.
func (r *Runner) Read(ctx context.Context, what string, f func(context.Context) error) error {
	if err := r.Enter(); err != nil {
		return err
	}
	defer r.Leave()
	bounded, cancel := r.Bounded(ctx)
	defer cancel()
	return r.Errors.Read(ctx, what, f(bounded))
}

// Write runs a call that changes something, and retries it while it conflicts with another. f may
// be called several times, and returns the driver's error.
func (r *Runner) Write(ctx context.Context, what string, f func(context.Context) error) error {
	if err := r.Enter(); err != nil {
		return err
	}
	defer r.Leave()
	sent, cancel := outcome.Followed(ctx)
	defer cancel()
	sent, cancel = r.Bounded(sent)
	defer cancel()
	return r.send(ctx, sent, what, f)
}

// MakeIndexes is Write for use between Enter and Leave, without the timeout, since the time that
// it takes grows with the documents. Only the caller's deadline and Close end it.
func (r *Runner) MakeIndexes(ctx context.Context, what string, f func(context.Context) error) error {
	sent, cancel := outcome.Followed(ctx)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	err := r.send(ctx, sent, what, f)
	if errors.Is(err, docdb.ErrUnavailable) && r.life.Err() != nil {
		return docdb.ErrClosed
	}
	return err
}

// send runs a write of a caller, whose context is ctx, under the context sent.
func (r *Runner) send(ctx, sent context.Context, what string, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return &outcome.Error{Kind: docdb.ErrUnavailable, Cause: err, Text: what + ": " + err.Error()}
	}
	var tries outcome.Attempts
	err := outcome.RetryConflicts(sent, func() error { return f(tries.Watch(sent)) })
	return r.Errors.Write(ctx, what, &tries, err)
}
