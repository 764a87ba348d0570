// Package guard stands before the handlers: rate limits, credentials, the body and the contract's
// schemas. A handler sees only requests that passed it.
package guard

import (
	"bytes"
	"cmp"
	"io"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/httpapi/limit"
	"github.com/orgd/orgd/internal/httpapi/network"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/httpapi/wire"
	"github.com/orgd/orgd/internal/policy"
	"github.com/orgd/orgd/internal/tenant"
)

// Config is what a Guard is made of.
type Config struct {
	Store *tenant.Store
	// Verify checks what can be checked of a token without the store: signature, issuer,
	// audience, times.
	Verify      func(token string) (auth.Claims, error)
	OperatorKey string // empty: there is no operator plane
	BodyLimit   int64  // of bodies without a limit of their own
	Holdback    *limit.Holdback
	// Addresses limit the attempts of each client address, by the endpoint's limiter.
	Addresses map[policy.Limiter]*limit.Rate
	// Requests limits the requests for the data of each organization.
	Requests *limit.Rate
}

// A Guard stands before all handlers.
type Guard struct{ Config }

// New makes a Guard.
func New(c Config) *Guard { return &Guard{c} }

// Before lets a request through to the endpoint's handler only when it fits the contract. The
// order matters: what is cheap comes first, nothing of a body is read for a client that may not
// send one, and the client of an otherwise acceptable request is told all that is wrong with it
// at once.
//
//  1. attempts of this client address (429; an admin may still log in from where they are known)
//  2. declared length of the body (413)
//  3. credential (401, 423): authenticate, the one choke point; what the storage says of
//     it comes with the answer, or before any other refusal, where the endpoint is joint
//  4. requests of this organization (429)
//  5. media type (415)
//  6. reading the body, no further than its limit (413)
//  7. query parameters, strict JSON, schemas (400)
//
// After it comes the idempotency key: see package idempotency.
func (g *Guard) Before(e *contract.Endpoint) echo.MiddlewareFunc {
	rate := g.Addresses[e.Limiter]
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(ec echo.Context) error {
			s := stateOf(ec)
			s.Endpoint, s.Address = e, ec.RealIP()
			if e.Streams.Request() {
				wire.OpenStream(ec.Response())
			}
			if rate != nil {
				s.Limited = rate.Take(network.Address(s.Address))
			}
			if s.Limited != nil && e.Limiter != policy.LimitLogins {
				return g.Holdback.Hold(ec.Request().Context(), s.Limited, s.ForgetBody)
			}
			if err := g.check(e, ec); err != nil {
				return cmp.Or(g.Holdback.Hold(ec.Request().Context(), s.Limited, s.ForgetBody), err)
			}
			return next(ec)
		}
	}
}

func stateOf(ec echo.Context) *request.State { return request.Of(ec.Request().Context()) }

// check is all of Before but the attempts.
func (g *Guard) check(e *contract.Endpoint, ec echo.Context) error {
	if err := g.checkLength(e, ec.Request()); err != nil {
		return err
	}
	if err := g.authenticate(e, ec); err != nil {
		return err
	}
	if err := g.takeRequest(e, stateOf(ec)); err != nil {
		return err
	}
	if err := g.checkRequest(e, ec); err != nil {
		return cmp.Or(g.admit(ec), err) // a bearer that may not ask is not told what was wrong
	}
	return nil
}

// checkRequest reads the body, and holds it and the query against the contract.
func (g *Guard) checkRequest(e *contract.Endpoint, ec echo.Context) error {
	body, err := g.readBody(e, ec)
	if err != nil {
		return err
	}
	s, query := stateOf(ec), queryOf(ec)
	s.Body = body
	if e.Document {
		s.Document = body
	} else if len(body) > 0 {
		if err := s.Memory.Take(jsonRoom * len(body)); err != nil {
			return err
		}
		if wrong := checkJSON(body, e.Extended); wrong != nil {
			// What is not JSON cannot be held against a schema.
			return problem.Misfit(append(e.CheckQuery(ec.Request().URL.RawQuery, query), *wrong)...)
		}
		setApart(e, ec, body)
	}
	if wrong := e.Validate(ec.Request(), pathParams(ec), query, body); len(wrong) > 0 {
		return problem.Misfit(wrong...)
	}
	return nil
}

// What a body takes while it is checked, beside itself, in bytes for each of its own.
const (
	// jsonRoom is for JSON as values of Go, of which an empty object of two bytes takes most.
	jsonRoom = 24
	// extendedRoom is for the copies of Extended JSON that is set apart.
	extendedRoom = 4
)

// setApart sets the properties apart that are Extended JSON, and gives back the memory that is
// not needed for them.
func setApart(e *contract.Endpoint, ec echo.Context, body []byte) {
	properties, rest := e.SetApart(body)
	if properties == nil {
		return
	}
	s := stateOf(ec)
	s.Extended = properties
	ec.Request().Body = io.NopCloser(bytes.NewReader(rest))
	s.Memory.Give(max((jsonRoom-extendedRoom)*(len(body)-len(rest)), 0))
}

// takeRequest counts a request for an organization's data.
func (g *Guard) takeRequest(e *contract.Endpoint, s *request.State) error {
	if e.Limiter != policy.LimitData || s.Principal == nil {
		return nil
	}
	return g.Requests.Take(s.Principal.OrgID)
}
