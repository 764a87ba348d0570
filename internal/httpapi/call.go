package httpapi

import (
	"context"
	"encoding/json"
	"net/netip"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/fair"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/wire"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// A call is what the middleware knows of one request. It travels in the
// request's context, because that is all that strict handlers are given. It
// belongs to the goroutine of the request.
type call struct {
	id   string // X-Request-Id
	op   *operation
	head bool // the answer has no body
	// address is the client's.
	address string
	// limited is why the address may make no more attempts, of an operation that decides
	// by itself what follows from that; or nil.
	limited error
	// token says that a bearer token came, good or bad.
	token bool
	// principal is set once that token is known to be good, or nil.
	principal *org.Principal
	// bearer is what a token says that was issued here and has not expired, while
	// nobody has looked whether it is still so; else nil.
	bearer *org.Principal
	// document is the body of an operation that takes one.
	document []byte
	// extended is what was set apart of the body: see setApart.
	extended map[string]json.RawMessage
	// body is what was read of the request's.
	body []byte
	// claim is that of a request with an idempotency key, or nil.
	claim *tenant.Claim
	// left says that the client went away before there was an answer.
	left bool
	// memory is what the request holds of the budget.
	memory memory.Hold
	// work is what the request does on the processors, and turn its own goroutine's.
	work       fair.Work
	turn       *fair.Turn
	processors *fair.Queue
	// writer is what the answer is written to.
	writer wire.Writer
}

// become makes a request a holder's: see hold.become.
func (c *call) become(who string) {
	c.memory.Become(who)
	c.work.Begin(c.processors, who)
	c.work.Active()
}

// forgetBody gives the memory back that the body takes, before a wait for which it is not
// needed.
func (c *call) forgetBody() {
	c.body, c.extended = nil, nil
	c.memory.Give(c.memory.Held())
}

// Problem is what the client is told of an error.
func (c *call) problem(err error) problem.Problem {
	var parameters map[string]bool
	if c.op != nil {
		parameters = c.op.query
	}
	return problem.Of(err, c.id, parameters)
}

type callKey struct{}

// callOf returns the request's call. Without the middleware, which only a test
// of a part can manage, it is an empty one.
func callOf(ec echo.Context) *call { return callFrom(ec.Request().Context()) }

func callFrom(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{}
}

// principalOf returns who the request acts for. An operation that reaches its
// handler without one, against its contract, is stopped here.
func principalOf(ctx context.Context) (org.Principal, error) {
	if p := callFrom(ctx).principal; p != nil {
		return *p, nil
	}
	return org.Principal{}, errNoPrincipal
}

var errNoPrincipal = org.Errorf(org.Internal, "the handler was reached without a principal")

// withClient says for whom a password is hashed or checked.
func withClient(ctx context.Context, s auth.Standing) context.Context {
	address, _ := netip.ParseAddr(callFrom(ctx).address)
	return auth.WithClient(ctx, auth.Client{Address: address, Standing: s})
}
