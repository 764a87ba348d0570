// Package httpapi is orgd over HTTP. It has the handlers: it implements the strict interface
// that is generated from openapi.yaml, one file per noun. Its parts are packages: a request goes
// through frame, guard and idempotency before a handler sees it, in this order, and package wire
// moves its bytes. Errors are Go errors until frame writes them, as package problem says.
package httpapi

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/fair"
	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/httpapi/frame"
	"github.com/orgd/orgd/internal/httpapi/guard"
	"github.com/orgd/orgd/internal/httpapi/idempotency"
	"github.com/orgd/orgd/internal/httpapi/limit"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/httpapi/transfer"
	"github.com/orgd/orgd/internal/httpapi/wire"
	"github.com/orgd/orgd/internal/policy"
	"github.com/orgd/orgd/internal/tenant"
)

// Tokens makes and checks bearer tokens; *auth.Tokens has it.
type Tokens interface {
	Issue(c auth.Claims) (token string, expires time.Time, err error)
	// Verify checks what can be checked without the store: signature, issuer,
	// audience, times.
	Verify(token string) (auth.Claims, error)
}

// Config is what an API is made of. Store, Tokens and Logger are required.
type Config struct {
	// Store's errors are *org.Error; any other is taken for a fault of orgd.
	Store  *tenant.Store
	Tokens Tokens
	Logger *slog.Logger
	// Pages are served by path for GET and HEAD, within the same middleware as the contract's
	// endpoints; they may set headers of their own. webui.Pages makes them.
	Pages map[string]http.Handler
	// SignupsPerMinute limits attempts, for each client address and, apart from that,
	// for each e-mail address. 0 is no limit.
	SignupsPerMinute int
	// AllSignupsPerMinute limits the sign-ups that succeed, in all. 0 is ten times
	// SignupsPerMinute.
	AllSignupsPerMinute int
	// LookupsPerMinute limits lookups of organizations by name, for each client address. 0
	// is no limit.
	LookupsPerMinute int
	// MovesPerMinute limits updates that move the data, of each organization. 0 is no limit.
	MovesPerMinute int
	// LoginsPerMinute limits logins that fail: see limit.Logins. 0 is no limit.
	LoginsPerMinute int
	// RequestsPerMinute limits the requests for the data of each organization. 0 is
	// no limit.
	RequestsPerMinute int
	// TrustedProxies are believed when they say, by X-Forwarded-For, for which client they come.
	// Without any, the client's address is that of the connection.
	TrustedProxies []netip.Prefix
	// OperatorKey opens the operator plane; without one all of it answers 404.
	OperatorKey string
	// BodyLimit is the largest request body in bytes. Default: 64 KiB. That of a document is
	// contract.DocumentBodyLimit, that of a query contract.QueryBodyLimit.
	BodyLimit int64
	// Budget is the memory that requests may hold. Default: a budget of memory.DefaultSize.
	Budget *memory.Budget
	// QueryTimeout bounds the time that the storage takes for a list of documents.
	// Default: 10 s.
	QueryTimeout time.Duration
	// CursorSecret is what the cursors of documents are sealed with; the same on
	// all instances. Default: a secret that ends with the process.
	CursorSecret []byte
	// FingerprintSecret keeps what a request holds from being guessed from what is
	// stored of it; the same on all instances. Default: a secret that ends with the process.
	FingerprintSecret []byte
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// DefaultBodyLimit is the default of Config.BodyLimit, in bytes.
const DefaultBodyLimit = 64 << 10

// API is the whole HTTP surface. Make it with New.
type API struct {
	Config
	echo     *echo.Echo
	frame    *frame.Frame
	guard    *guard.Guard
	draining atomic.Bool
	signups  limit.Signups
	logins   limit.Logins
	// rotations limits changes of credentials, for each admin, as logins are.
	rotations *limit.Rate
	moves     *limit.Rate // of each organization
	holdback  *limit.Holdback
	cursors   cursors
	transfers *transfer.Service
}

// handlers implements api.StrictServerInterface, and has no other methods; API itself does not
// implement it, so that its own methods are few.
type handlers struct{ *API }

var (
	_ api.StrictServerInterface = handlers{}
	_ Tokens                    = (*auth.Tokens)(nil)
)

// New reads the contract and builds the router. It fails when the contract
// uses what the guard does not know how to enforce.
func New(c Config) (*API, error) {
	if c.Store == nil || c.Tokens == nil || c.Logger == nil {
		return nil, errors.New("httpapi: Store, Tokens and Logger are required")
	}
	if c.BodyLimit <= 0 {
		c.BodyLimit = DefaultBodyLimit
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Budget == nil {
		c.Budget = memory.NewBudget(0)
	}
	if c.QueryTimeout <= 0 {
		c.QueryTimeout = 10 * time.Second
	}
	sealed, err := newCursors(c.CursorSecret)
	if err != nil {
		return nil, err
	}
	ct, err := contract.Own()
	if err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	a := &API{
		Config:    c,
		frame:     newFrame(c, ct.Allows()),
		signups:   limit.NewSignups(c.SignupsPerMinute, c.AllSignupsPerMinute, c.Now),
		logins:    limit.NewLogins(c.LoginsPerMinute, c.Now),
		rotations: limit.NewRate(c.LoginsPerMinute, c.Now),
		moves:     limit.NewRate(c.MovesPerMinute, c.Now),
		holdback:  limit.NewHoldback(),
		cursors:   sealed,
		transfers: &transfer.Service{Store: c.Store, Logger: c.Logger},
	}
	a.guard = a.newGuard()
	a.echo = newEcho(a.frame, c.TrustedProxies)
	a.route(ct)
	return a, nil
}

func newFrame(c Config, allows map[string]string) *frame.Frame {
	return frame.New(frame.Config{
		Shared: request.Shared{
			Timeouts: request.Timeouts{Body: wire.BodyTimeout, Stream: wire.StreamTimeout},
			Budget:   c.Budget, Processors: fair.NewQueue(fair.Processors()),
		},
		Logger: c.Logger, Now: c.Now, NoOperator: c.OperatorKey == "", Allows: allows,
	})
}

func (a *API) newGuard() *guard.Guard {
	return guard.New(guard.Config{
		Store: a.Store, Verify: a.Tokens.Verify, OperatorKey: a.OperatorKey, BodyLimit: a.BodyLimit,
		Holdback: a.holdback,
		Addresses: map[policy.Limiter]*limit.Rate{
			policy.LimitSignups: a.signups.ByAddress, policy.LimitLogins: a.logins.ByAddress,
			policy.LimitLookups: limit.NewRate(a.LookupsPerMinute, a.Now),
		},
		Requests: limit.NewRate(a.RequestsPerMinute, a.Now),
	})
}

// newEcho is an echo without routes. The frame is around everything, then come the endpoint's
// own guard and its idempotency keys, then the handler.
func newEcho(f *frame.Frame, trusted []netip.Prefix) *echo.Echo {
	e := echo.New()
	e.Logger.SetOutput(io.Discard) // it would write past the log's format and level
	e.Binder = guard.Binder{}
	e.HTTPErrorHandler = f.RenderError
	e.IPExtractor = frame.ClientAddress(trusted)
	e.Use(f.Around)
	return e
}

// route registers the contract's endpoints and the pages. Middleware comes with each route and
// never with a group: echo's groups answer 404 where 405 is due.
func (a *API) route(ct contract.Contract) {
	keys := idempotency.New(a.Store, a.Logger, a.FingerprintSecret)
	before := make(map[string][]echo.MiddlewareFunc, len(ct))
	for id, e := range ct {
		before[id] = []echo.MiddlewareFunc{a.guard.Before(e)}
		if e.Keyed() {
			before[id] = append(before[id], keys.Once)
		}
	}
	r := withHead{a.echo}
	api.RegisterHandlersWithOptions(r, api.NewStrictHandler(handlers{a}, nil),
		api.RegisterHandlersOptions{OperationMiddlewares: before})
	for path, page := range a.Pages {
		var m []echo.MiddlewareFunc
		if e := ct.At(http.MethodGet, path); e != nil {
			m = before[e.ID]
		}
		r.GET(path, echo.WrapHandler(page), m...)
	}
}

// withHead answers HEAD wherever it answers GET, as HTTP asks (RFC 9110, 9.1);
// net/http drops the body.
type withHead struct{ *echo.Echo }

func (r withHead) GET(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	r.Echo.HEAD(path, h, m...)
	return r.Echo.GET(path, h, m...)
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.echo.ServeHTTP(w, r) }

// Drain makes /readyz answer 503 from now on, so that load balancers send
// requests elsewhere before the server stops. Everything else goes on.
func (a *API) Drain() { a.draining.Store(true) }
