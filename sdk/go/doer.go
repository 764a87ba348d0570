package orgd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// doer is what the generated client sends its requests through: credentials,
// retries and typed errors for every operation, those to come included.
type doer struct{ config }

// A call is one call of an operation: as many requests as it takes.
type call struct {
	doer          *doer
	op            operation
	req           *http.Request // never sent itself, but its body may be
	rel           string        // the contract's path
	sent          int
	again         bool // a fresh token was had because of a 401
	maybeExecuted bool // an earlier request may have been carried out
}

// Do implements client.HttpRequestDoer.
func (d *doer) Do(req *http.Request) (*http.Response, error) {
	c := &call{doer: d, req: req}
	defer c.closeUnsent()
	if err := c.prepare(); err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		resp, err := c.try()
		if err == nil {
			return resp, nil
		}
		v := c.classify(err)
		if !v.again || v.after > maxDelay || attempt >= d.retries || c.op.once || !c.replayable() {
			return nil, c.failure(err, v)
		}
		c.maybeExecuted = c.maybeExecuted || v.maybeExecuted
		if waited := pause(req.Context(), delay(attempt, v.after)); waited != nil {
			return nil, c.failure(waited.instead(err), v)
		}
	}
}

// prepare finds the operation and adds the headers that all its requests share.
// A request that an editor has turned to another server is not sent.
func (c *call) prepare() error {
	base, u := c.doer.base, c.req.URL
	rel, ok := strings.CutPrefix(u.EscapedPath(), base.EscapedPath())
	if !ok || u.Scheme != base.Scheme || u.Host != base.Host {
		return fmt.Errorf("orgd: a request to %s://%s is not one to %s", u.Scheme, u.Host, base)
	}
	c.rel = "/" + rel
	c.op = operationOf(c.req.Method, c.rel)
	if c.req.Header.Get("User-Agent") == "" {
		c.req.Header.Set("User-Agent", c.doer.userAgent)
	}
	c.addKey()
	return nil
}

// addKey adds an Idempotency-Key where the server acts on one. It is spelled in small
// letters, which is the same to the server but not to net/http: that sends a POST with
// an Idempotency-Key again, by itself, when the connection breaks, also where the
// server does not act on it, and more often than WithRetries says.
func (c *call) addKey() {
	const name = "Idempotency-Key"
	h := c.req.Header
	if c.req.Method != http.MethodPost {
		return
	}
	if c.op.keyed && h.Get(name) == "" {
		h.Set(name, rand.Text())
	}
	if h.Get(name) != "" {
		h[strings.ToLower(name)] = h[name]
		delete(h, name)
	}
}

// try sends the request, with a fresh token if the first was refused.
func (c *call) try() (*http.Response, error) {
	token, err := c.credential("")
	if err != nil {
		return nil, err
	}
	resp, err := c.send(token)
	if token == "" || c.op.credential == ofOperator || !isDead(err) {
		return resp, err
	}
	s := c.doer.session
	if !s.canLogIn() || c.again || !c.replayable() {
		s.drop(token)
		return nil, err
	}
	c.again = true
	refusal := err
	if token, err = c.credential(token); err != nil {
		if failed, ok := asType[*loginError](err); ok {
			failed.refusal = refusal
		}
		return nil, err
	}
	return c.send(token)
}

// credential returns what to authenticate with; "" is nothing. The token that it
// was last time, and that is dead, is not returned again if a login can help.
func (c *call) credential(dead string) (string, error) {
	if c.req.Header.Get("Authorization") != "" { // the caller's own
		return "", nil
	}
	switch c.op.credential {
	case ofTenant, ofAnybody:
		token, err := c.doer.session.bearer(c.req.Context(), dead, c.op.credential == ofAnybody)
		if err != nil {
			return "", &loginError{err: err}
		}
		return token, nil
	case ofOperator:
		return c.doer.operatorKey.reveal(), nil
	}
	return "", nil
}

// send sends the request once.
func (c *call) send(token string) (*http.Response, error) {
	ctx := c.req.Context()
	if c.op.safe {
		ctx = context.WithValue(ctx, safeKey{}, true)
	}
	req := c.req.Clone(ctx)
	if c.sent > 0 && c.req.GetBody != nil {
		body, err := c.req.GetBody()
		if err != nil {
			return nil, fmt.Errorf("orgd: read the request's body again: %w", err)
		}
		req.Body = body
	}
	c.sent++
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.doer.http.Do(req)
	if err != nil {
		// The *url.Error around it has the query, which is nobody's business.
		if wrapped, ok := asType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return nil, &transportError{c.req.Method, c.rel, err}
	}
	if failed(resp) {
		return nil, problemOf(resp, req, c.rel)
	}
	resp.Body = bounded(resp)
	return resp, nil
}

// replayable reports whether the body, if there is one, can be sent again.
func (c *call) replayable() bool {
	if stream, ok := c.req.Body.(*streamBody); ok {
		return stream.source.whole()
	}
	return c.req.Body == nil || c.req.Body == http.NoBody || c.req.GetBody != nil
}

// closeUnsent closes the body of a request that was never sent, as a
// RoundTripper would have.
func (c *call) closeUnsent() {
	if c.sent == 0 && c.req.Body != nil {
		_ = c.req.Body.Close()
	}
}

// failure is err, and ErrOutcomeUnknown where the call may have done something.
func (c *call) failure(err error, v verdict) error {
	if c.op.safe || !c.maybeExecuted && !v.maybeExecuted || errors.Is(err, ErrOutcomeUnknown) {
		return err
	}
	return &uncertain{err}
}

// A transportError is a request without an answer.
type transportError struct {
	method, path string
	err          error
}

func (e *transportError) Error() string {
	return "orgd: " + e.method + " " + e.path + ": " + e.err.Error()
}

func (e *transportError) Unwrap() error { return e.err }

// A loginError is a call that got no token, and so was not made; unless it was
// made before, and the refusal of its token is why a login was tried.
type loginError struct{ err, refusal error }

func (e *loginError) Error() string { return e.err.Error() }

func (e *loginError) Unwrap() []error {
	if e.refusal == nil {
		return []error{e.err}
	}
	return []error{e.err, e.refusal}
}

// An uncertain is an error of a call that may have done something.
type uncertain struct{ err error }

func (e *uncertain) Error() string   { return e.err.Error() + " (it may have been done all the same)" }
func (e *uncertain) Unwrap() []error { return []error{e.err, ErrOutcomeUnknown} }

// isDead reports whether an error says that the token is no longer good.
func isDead(err error) bool {
	return errors.Is(err, ErrUnauthenticated) || errors.Is(err, ErrTokenRevoked)
}

// safeKey marks the requests that change nothing.
type safeKey struct{}

// uncertainIf is for what goes wrong once an answer has come: the request was
// carried out.
func uncertainIf(req *http.Request, err error) error {
	if req != nil && (req.Method == http.MethodGet || req.Method == http.MethodHead || req.Context().Value(safeKey{}) != nil) {
		return err
	}
	return &uncertain{err}
}
