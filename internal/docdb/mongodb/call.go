package mongodb

import (
	"context"
	"errors"

	"github.com/orgd/orgd/internal/docdb"
)

// enter begins a call; if it returns nil, leave ends it.
func (e *Engine) enter() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return docdb.ErrClosed
	}
	e.calls.Add(1)
	return nil
}

func (e *Engine) leave() { e.calls.Done() }

// bounded gives a context without a deadline the engine's own.
func (e *Engine) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, e.timeout)
}

// followed returns the context of a write that is followed to its outcome, or to its
// deadline, whatever happens to its caller.
func followed(ctx context.Context) (context.Context, context.CancelFunc) {
	sent := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(sent, deadline)
	}
	return context.WithCancel(sent)
}

// read runs a call that changes nothing. The driver has its own retries.
func (e *Engine) read(ctx context.Context, what string, f func(context.Context) error) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	bounded, cancel := e.bounded(ctx)
	defer cancel()
	return e.readFault(ctx, what, f(bounded))
}

// write runs a call that changes something, again while it conflicts with
// another. f may be called several times and returns the driver's error.
func (e *Engine) write(ctx context.Context, what string, f func(context.Context) error) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	sent, cancel := followed(ctx)
	defer cancel()
	sent, cancel = e.bounded(sent)
	defer cancel()
	return e.send(ctx, sent, what, f)
}

// makeIndexes is write within a call that is under way already, and that may take as
// long as there are documents. Only the caller's deadline ends it, and Close.
func (e *Engine) makeIndexes(ctx context.Context, what string, f func(context.Context) error) error {
	sent, cancel := followed(ctx)
	defer cancel()
	defer context.AfterFunc(e.life, cancel)()
	err := e.send(ctx, sent, what, f)
	if errors.Is(err, docdb.ErrUnavailable) && e.life.Err() != nil {
		return docdb.ErrClosed
	}
	return err
}

// send runs a write for a caller, whose context is ctx, under another one.
func (e *Engine) send(ctx, sent context.Context, what string, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return &fault{is: docdb.ErrUnavailable, cause: err, text: what + ": " + err.Error()}
	}
	var tries attempts
	err := retryConflicts(sent, func() error { return f(tries.watch(sent)) })
	return e.writeFault(ctx, what, &tries, err)
}
