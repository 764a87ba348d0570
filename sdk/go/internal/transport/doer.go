// Package transport sends the requests of the generated client: it finds the operation of
// each, adds the credential, tries again what may pass, and makes typed errors of answers
// that are not a success. It does so for every operation, including those that are newer
// than it.
package transport

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/orgd/orgd/sdk/go/internal/credential"
	"github.com/orgd/orgd/sdk/go/internal/policy"
	"github.com/orgd/orgd/sdk/go/internal/problem"
	"github.com/orgd/orgd/sdk/go/internal/upload"
)

// A Doer sends requests to one server, with one client's credentials.
type Doer struct {
	Base        *url.URL // its path ends with a slash
	HTTP        *http.Client
	UserAgent   string
	Retries     int // how often a call is tried again at most
	OperatorKey credential.Secret
	Session     *credential.Session
	Errors      Errors
}

// A call is one call of an operation: as many requests as it takes.
type call struct {
	doer          *Doer
	op            policy.Operation
	req           *http.Request // never sent itself, but its body may be
	path          string        // the contract's
	sent          int           // requests
	renewed       bool          // a fresh token was had because of a 401
	maybeExecuted bool          // an earlier request may have been carried out
}

// Do implements client.HttpRequestDoer.
func (d *Doer) Do(req *http.Request) (*http.Response, error) {
	c := &call{doer: d, req: req}
	defer c.closeUnsent()
	if err := c.prepare(); err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		resp, failed := c.try()
		if failed == nil {
			return resp, nil
		}
		v := c.classify(failed)
		if !v.again || v.after > MaxDelay || attempt >= d.Retries || c.op.Once || !c.replayable() {
			return nil, c.final(failed.err, v)
		}
		c.maybeExecuted = c.maybeExecuted || v.maybeExecuted
		if waited := pause(req.Context(), delay(attempt, v.after)); waited != nil {
			return nil, c.final(waited.instead(failed.err), v)
		}
	}
}

// prepare finds the operation and adds the headers that all its requests share.
// A request that an editor has turned to another server is not sent.
func (c *call) prepare() error {
	base, u := c.doer.Base, c.req.URL
	rel, ok := strings.CutPrefix(u.EscapedPath(), base.EscapedPath())
	if !ok || u.Scheme != base.Scheme || u.Host != base.Host {
		return fmt.Errorf("orgd: a request to %s://%s is not one to %s", u.Scheme, u.Host, base)
	}
	c.path = "/" + rel
	c.op = policy.Of(c.req.Method, c.path)
	if c.req.Header.Get("User-Agent") == "" {
		c.req.Header.Set("User-Agent", c.doer.UserAgent)
	}
	c.addKey()
	return nil
}

// addKey adds an Idempotency-Key where the server acts on it. The header's name is spelled
// in small letters, which is the same to the server but not to net/http: on its own, that
// sends a POST with an Idempotency-Key again when the connection breaks, also where the
// server does not act on the key, and more often than WithRetries says.
func (c *call) addKey() {
	const name = "Idempotency-Key"
	h := c.req.Header
	if c.req.Method != http.MethodPost {
		return
	}
	if c.op.Keyed && h.Get(name) == "" {
		h.Set(name, rand.Text())
	}
	if h.Get(name) != "" {
		h[strings.ToLower(name)] = h[name]
		delete(h, name)
	}
}

// try sends the request, and once more with a fresh token if the first is refused.
func (c *call) try() (*http.Response, *failure) {
	token, err := c.credential("")
	if err != nil {
		return nil, &failure{err: err, noToken: true}
	}
	resp, failed := c.send(token)
	if token == "" || c.op.Credential == policy.OperatorKey || !failed.isDead() {
		return resp, failed
	}
	s := c.doer.Session
	if !s.CanLogIn() || c.renewed || !c.replayable() {
		s.Drop(token)
		return nil, failed
	}
	c.renewed = true
	fresh, err := c.credential(token)
	if err != nil {
		return nil, &failure{err: &loginError{err, failed.err}, noToken: true}
	}
	return c.send(fresh)
}

// credential returns what to authenticate with; "" is nothing. A session that can log in
// does not return the dead token, which the server has refused, again.
func (c *call) credential(dead string) (string, error) {
	if c.req.Header.Get("Authorization") != "" { // the caller's own
		return "", nil
	}
	switch c.op.Credential {
	case policy.Token, policy.OptionalToken:
		return c.doer.Session.Bearer(c.req.Context(), dead, c.op.Credential == policy.OptionalToken)
	case policy.OperatorKey:
		return c.doer.OperatorKey.Reveal(), nil
	}
	return "", nil
}

// send sends the request once.
func (c *call) send(token string) (*http.Response, *failure) {
	req, err := c.next()
	if err != nil {
		return nil, &failure{err: err}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.doer.HTTP.Do(req)
	if err != nil {
		// The *url.Error around the error has the query, which does not belong in a log.
		if wrapped, ok := asType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return nil, &failure{err: &noAnswerError{c.req.Method, c.path, err}}
	}
	if problem.Is(resp) {
		answer := problem.Read(resp, req)
		return nil, &failure{err: c.doer.Errors.Problem(req, c.path, answer), answer: answer}
	}
	resp.Body = bounded(resp)
	return resp, nil
}

// next returns the next request to send.
func (c *call) next() (*http.Request, error) {
	ctx := c.req.Context()
	if c.op.Safe {
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
	return req, nil
}

// replayable reports whether the body, if there is one, can be sent again.
func (c *call) replayable() bool {
	if stream, ok := c.req.Body.(*upload.Body); ok {
		return stream.Replayable()
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

// final returns the error that the call ends with: err, marked where the call may have
// been carried out.
func (c *call) final(err error, v verdict) error {
	if c.op.Safe || !c.maybeExecuted && !v.maybeExecuted {
		return err
	}
	return c.doer.Errors.Uncertain(err)
}

// safeKey marks the contexts of requests that change nothing.
type safeKey struct{}

// IsSafe reports whether the request of an answer changes nothing.
func IsSafe(req *http.Request) bool {
	return req != nil && (req.Method == http.MethodGet || req.Method == http.MethodHead || req.Context().Value(safeKey{}) != nil)
}
