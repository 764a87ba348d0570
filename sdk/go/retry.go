package orgd

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

const (
	firstDelay = 200 * time.Millisecond
	maxBackoff = 10 * time.Second
	maxDelay   = 30 * time.Second // what the server may ask for
)

// A verdict is what an error means for the call.
type verdict struct {
	again         bool          // another try may help, and does no harm
	maybeExecuted bool          // it may have been carried out
	after         time.Duration // what the server asked to wait
}

func (c *call) classify(err error) verdict {
	if _, ok := asType[*loginError](err); ok {
		return verdict{} // it was tried again already, for itself
	}
	if e, ok := asType[*Error](err); ok {
		return c.classifyAnswer(e)
	}
	if unsent(err) {
		return verdict{again: !hopeless(err)}
	}
	return verdict{again: c.op.repeatable, maybeExecuted: true}
}

func (c *call) classifyAnswer(e *Error) verdict {
	v := verdict{after: e.RetryAfter}
	switch {
	case e.Status == http.StatusTooManyRequests || e.Code == ErrUnavailable:
		v.again = true
	case e.Code == ErrIdempotencyInProgress:
		v.again, v.maybeExecuted = c.op.keyed, true
	case e.Code == ErrQueryTimeout, e.Code == ErrQuotaExceeded, e.Code == ErrStorageFull: // nothing was done, and time alone does not help
	case e.Status == http.StatusBadGateway, e.Status == http.StatusServiceUnavailable, e.Status == http.StatusGatewayTimeout:
		v.again, v.maybeExecuted = c.op.repeatable, true
	case e.Status >= 500, e.Status < 300:
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

// hopeless reports whether an unsent request would not fare better in a moment.
func hopeless(err error) bool {
	name, ok := asType[*net.DNSError](err)
	return ok && name.IsNotFound || badTLS(err)
}

func badTLS(err error) bool {
	_, untrusted := asType[*tls.CertificateVerificationError](err)
	_, plain := asType[tls.RecordHeaderError](err)
	return untrusted || plain
}

// delay returns how long to wait after the n-th failure, counted from 0: at
// least as long as the server asked for, and not all clients at once.
func delay(n int, asked time.Duration) time.Duration {
	half := min(firstDelay<<min(n, 10), maxBackoff) / 2
	return max(asked, half) + rand.N(half)
}

// A cutShort is a wait that was not waited to its end.
type cutShort struct{ why error }

// instead returns what to report in place of err: err itself when the wait was
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
	if err := sleep(ctx, d); err != nil {
		return &cutShort{err}
	}
	return nil
}

// sleep waits, or until the context ends, whose error it then returns.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
