// Package request is what the server knows of a request in progress: its endpoint, its
// principal, the memory that it holds and its turns on the processors. The state travels in the
// request's context, because that is all that strict handlers are given.
package request

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"time"

	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/fair"
	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/wire"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// Timeouts are the times that clients have: see package wire.
type Timeouts struct {
	Body   time.Duration // to send a body
	Stream time.Duration // to send a stream, and to take an answer
}

// Shared is what all requests share.
type Shared struct {
	Timeouts
	Budget *memory.Budget
	// Processors is where requests wait whose work takes long: organizations in turn.
	Processors *fair.Queue
}

// A State is what is known of one request. It belongs to the goroutine of the request.
type State struct {
	ID       string // X-Request-Id
	Endpoint *contract.Endpoint
	Head     bool // the answer has no body
	// Address is the client's.
	Address string
	// Limited is why the address may make no more attempts, of an endpoint whose handler
	// decides what follows from that; or nil.
	Limited error
	// Token says that a bearer token came, good or bad.
	Token bool
	// Principal is set once that token is known to be good, or nil.
	Principal *org.Principal
	// Admission is what was read to find that out, or nil.
	Admission *tenant.Admission
	// Bearer is what a token says that was issued here and has not expired, while the
	// storage has not been asked whether it is still so; else nil.
	Bearer *org.Principal
	// Body is what was read of the request's body.
	Body []byte
	// Document is the body of an endpoint that takes one.
	Document []byte
	// Extended are the properties that were set apart of the body: see Endpoint.SetApart.
	Extended map[string]json.RawMessage
	// Claim is the claim of a request with an idempotency key, or nil.
	Claim *tenant.Claim
	// Left says that the client went away before there was an answer.
	Left bool
	// Memory is what the request holds of the budget.
	Memory memory.Hold
	// Turn is that of the request's own goroutine.
	Turn     *fair.Turn
	Timeouts Timeouts

	writer     wire.Writer // what the answer is written to
	work       fair.Work   // on the processors
	processors *fair.Queue
}

// Begin gives the request its memory and its turns, at first those of a stranger, and its
// answer a pace. It returns what the answer has to be written to.
func (s *State) Begin(r *http.Request, w http.ResponseWriter, shared *Shared) http.ResponseWriter {
	s.Memory.Begin(shared.Budget, memory.Strangers)
	s.Timeouts, s.processors, s.Turn = shared.Timeouts, shared.Processors, s.work.Turn()
	s.work.Begin(s.processors, memory.Strangers)
	s.writer = wire.NewWriter(r.Context(), w, s.Timeouts.Stream, &s.Memory, s.Turn)
	return &s.writer
}

// End gives the memory back, and the client time to take what is left of its answer.
func (s *State) End() {
	s.Turn.Done()
	s.Memory.End()
	s.writer.End()
}

// RenewDeadline gives the client the time for its answer once more.
func (s *State) RenewDeadline() { s.writer.RenewDeadline() }

// Become says for which holder of memory and turns the request turned out to be.
func (s *State) Become(holder string) {
	s.Memory.Become(holder)
	s.work.Begin(s.processors, holder)
	s.work.Active()
}

// Active says that the request has something to do: see fair.Work.
func (s *State) Active() { s.work.Active() }

// ForgetBody gives the memory back that the body takes, before a wait for which it is not
// needed.
func (s *State) ForgetBody() {
	s.Body, s.Extended = nil, nil
	s.Memory.Give(s.Memory.Held())
}

// Problem is what the client is told of an error.
func (s *State) Problem(err error) problem.Problem {
	var parameters map[string]bool
	if s.Endpoint != nil {
		parameters = s.Endpoint.Query
	}
	return problem.Of(err, s.ID, parameters)
}

type stateKey struct{}

// With returns a request whose context has the state.
func With(r *http.Request, s *State) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), stateKey{}, s))
}

// Of returns the state of the request whose context it is. Outside of a request, which is only
// a test, the state is empty.
func Of(ctx context.Context) *State {
	if s, ok := ctx.Value(stateKey{}).(*State); ok {
		return s
	}
	return &State{}
}

// Admitted is Principal for a request for an operation, which begins in that context with what was read
// when the request was authenticated.
func Admitted(ctx context.Context) (context.Context, org.Principal, error) {
	p, err := Principal(ctx)
	if admission := Of(ctx).Admission; admission != nil {
		ctx = admission.In(ctx)
	}
	return ctx, p, err
}

// Principal returns for whom the request acts. A request that reaches its handler without a
// principal, against the contract, is stopped here.
func Principal(ctx context.Context) (org.Principal, error) {
	if p := Of(ctx).Principal; p != nil {
		return *p, nil
	}
	return org.Principal{}, ErrNoPrincipal
}

// ErrNoPrincipal is a fault of orgd.
var ErrNoPrincipal = org.Errorf(org.Internal, "the handler was reached without a principal")

// WithClient returns a context that says for whom a password is hashed or checked.
func WithClient(ctx context.Context, s auth.Standing) context.Context {
	address, _ := netip.ParseAddr(Of(ctx).Address)
	return auth.WithClient(ctx, auth.Client{Address: address, Standing: s})
}
