package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/orgd/orgd/sdk/go/client"
	"github.com/orgd/orgd/sdk/go/internal/problem"
)

const (
	firstDelay = 200 * time.Millisecond
	maxBackoff = 10 * time.Second
)

// MaxDelay is the longest wait that a server may ask for.
const MaxDelay = 30 * time.Second

// A verdict is what a failure means for the call.
type verdict struct {
	again         bool          // another attempt may help, and does no harm
	maybeExecuted bool          // the request may have been carried out
	after         time.Duration // the wait that the server asked for
}

func (c *call) classify(f *failure) verdict {
	switch {
	case f.noToken:
		return verdict{} // the login was tried again itself
	case f.answer != nil:
		return c.classifyAnswer(f.answer)
	case unsent(f.err):
		return verdict{again: !hopeless(f.err)}
	}
	return verdict{again: c.op.Repeatable, maybeExecuted: true}
}

func (c *call) classifyAnswer(p *problem.Problem) verdict {
	v := verdict{after: p.RetryAfter}
	switch {
	case p.Status == http.StatusTooManyRequests || p.Code == client.ErrorCodeUnavailable:
		v.again = true
	case p.Code == client.ErrorCodeIdempotencyInProgress:
		v.again, v.maybeExecuted = c.op.Keyed, true
	case p.Code == client.ErrorCodeQueryTimeout, p.Code == client.ErrorCodeQuotaExceeded, p.Code == client.ErrorCodeStorageFull:
		// Nothing was done, and time alone does not help.
	case p.Status == http.StatusBadGateway, p.Status == http.StatusServiceUnavailable, p.Status == http.StatusGatewayTimeout:
		v.again, v.maybeExecuted = c.op.Repeatable, true
	case p.Status >= 500, p.Status < 300:
		v.maybeExecuted = true
	}
	return v
}

// unsent reports whether an error is one of setting up the connection: the
// server has not seen the request.
func unsent(err error) bool {
	if op, ok := asType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	return badTLS(err)
}

// hopeless reports whether an unsent request would fail again in a moment.
func hopeless(err error) bool {
	name, ok := asType[*net.DNSError](err)
	return ok && name.IsNotFound || badTLS(err)
}

func badTLS(err error) bool {
	_, untrusted := asType[*tls.CertificateVerificationError](err)
	_, plain := asType[tls.RecordHeaderError](err)
	return untrusted || plain
}

// delay returns how long to wait after the n-th failure, counted from 0: at least as long
// as the server asked for, with jitter so that not all clients come back at once.
func delay(n int, asked time.Duration) time.Duration {
	half := min(firstDelay<<min(n, 10), maxBackoff) / 2
	return max(asked, half) + rand.N(half)
}

// A cutShort is a wait that the context ended, with why, or that was not begun.
type cutShort struct{ why error }

// instead returns the error to report in place of err, which is err itself if the wait was
// not begun.
func (w *cutShort) instead(err error) error {
	if w.why == nil {
		return err
	}
	return fmt.Errorf("%w; then, waiting to try again: %w", err, w.why)
}

// pause waits. It does not begin a wait that the context would end, or has.
func pause(ctx context.Context, d time.Duration) *cutShort {
	if deadline, ok := ctx.Deadline(); ctx.Err() != nil || ok && time.Until(deadline) <= d {
		return &cutShort{}
	}
	if err := Sleep(ctx, d); err != nil {
		return &cutShort{err}
	}
	return nil
}

// Sleep waits. If the context ends first it returns the context's error.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// asType is errors.AsType, which Go 1.24 does not have.
func asType[E error](err error) (E, bool) {
	var e E
	ok := errors.As(err, &e)
	return e, ok
}
