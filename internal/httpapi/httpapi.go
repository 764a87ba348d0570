// Package httpapi is orgd over HTTP. It implements the strict interface that is
// generated from openapi.yaml, one file per noun, and holds every request
// against that contract before a handler sees it (see guard.go for the order).
//
// Errors are Go errors until problem.go, the one place that knows of statuses,
// writes them as application/problem+json.
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
	"github.com/orgd/orgd/internal/httpapi/limit"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/httpapi/wire"
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
	// Pages are served by path for GET and HEAD, within the same middleware as
	// the operations; they may set headers of their own. webui.Pages makes them.
	Pages map[string]http.Handler
	// SignupsPerMinute limits attempts, for each client address and, apart from that,
	// for each e-mail address. 0 is no limit.
	SignupsPerMinute int
	// AllSignupsPerMinute limits those that come to something, in all. 0 is ten times
	// SignupsPerMinute.
	AllSignupsPerMinute int
	// LookupsPerMinute limits lookups of organizations by name, for each client address. 0
	// is no limit.
	LookupsPerMinute int
	// MovesPerMinute limits updates that move the data, of each organization. 0 is no limit.
	MovesPerMinute int
	// LoginsPerMinute limits logins that fail: see logins. 0 is no limit.
	LoginsPerMinute int
	// RequestsPerMinute limits the requests for the data of each organization. 0 is
	// no limit.
	RequestsPerMinute int
	// TrustedProxies are believed when they say, by X-Forwarded-For, on whose
	// behalf they come. Without any, the client is who the connection is from.
	TrustedProxies []netip.Prefix
	// OperatorKey opens the operator plane; without one all of it answers 404.
	OperatorKey string
	// BodyLimit is the largest request body in bytes. Default: 64 KiB. That of a
	// document is DocumentBodyLimit, that of a query QueryBodyLimit.
	BodyLimit int64
	// Budget is the memory that requests may hold. Default: one of DefaultBudget.
	Budget *memory.Budget
	// QueryTimeout bounds the time that the storage takes for a list of documents.
	// Default: 10 s.
	QueryTimeout time.Duration
	// CursorSecret is what the cursors of documents are sealed with; the same on
	// all instances. Default: one that ends with the process.
	CursorSecret []byte
	// FingerprintSecret keeps what a request holds from being guessed from what is
	// stored of it; the same on all instances. Default: one that ends with the process.
	FingerprintSecret []byte
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// DefaultBodyLimit is the default of Config.BodyLimit, in bytes.
const DefaultBodyLimit = 64 << 10

// DocumentBodyLimit is the largest text of a document in bytes: of one of 16 MiB
// the text may be larger.
const DocumentBodyLimit = 32 << 20

// QueryBodyLimit is the largest text of a query in bytes: all that a list can be asked
// for, at its longest in characters of four bytes, and as much again.
const QueryBodyLimit = 128 << 10

// API is the whole HTTP surface. Make it with New.
type API struct {
	Config
	echo     *echo.Echo
	allows   map[string]string // see contract.allows
	draining atomic.Bool
	signups  limit.Signups
	logins   limit.Logins
	// rotations limits changes of credentials, for each admin, as logins are.
	rotations   *limit.Rate
	requests    *limit.Rate // for data, of each organization
	moves       *limit.Rate // of each organization
	lookups     *limit.Rate // of each client address
	bodyTimeout time.Duration
	holdback    *limit.Holdback
	cursors     cursors
	// processors is where requests wait whose work takes long: organizations in turn.
	processors *fair.Queue

	fingerprints  fingerprints
	streamTimeout time.Duration
}

// handlers implements api.StrictServerInterface; API itself does not, so that
// its own methods are few.
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
	ct, err := ownContract()
	if err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	a := &API{
		Config:      c,
		signups:     limit.NewSignups(c.SignupsPerMinute, c.AllSignupsPerMinute, c.Now),
		logins:      limit.NewLogins(c.LoginsPerMinute, c.Now),
		rotations:   limit.NewRate(c.LoginsPerMinute, c.Now),
		requests:    limit.NewRate(c.RequestsPerMinute, c.Now),
		moves:       limit.NewRate(c.MovesPerMinute, c.Now),
		lookups:     limit.NewRate(c.LookupsPerMinute, c.Now),
		bodyTimeout: wire.BodyTimeout,
		processors:  fair.NewQueue(fair.Processors()),
		holdback:    limit.NewHoldback(),

		fingerprints: newFingerprints(c.FingerprintSecret),

		streamTimeout: wire.StreamTimeout,
		cursors:       sealed,
	}
	a.echo, a.allows = a.newEcho(), ct.allows()
	a.route(ct)
	return a, nil
}

// newEcho is an echo without routes. frame is around everything, then comes the
// operation's own guard, then the handler.
func (a *API) newEcho() *echo.Echo {
	e := echo.New()
	e.Logger.SetOutput(io.Discard) // it would write past the log's format and level
	e.Binder = binder{}
	e.HTTPErrorHandler = a.renderError
	e.IPExtractor = clientAddress(a.TrustedProxies)
	e.Use(a.frame)
	return e
}

// route registers the contract's operations and the pages. Middleware comes
// with each route and never with a group: echo's groups answer 404 where 405 is
// due.
func (a *API) route(ct contract) {
	guards := make(map[string][]echo.MiddlewareFunc, len(ct))
	for id, op := range ct {
		guards[id] = []echo.MiddlewareFunc{a.guard(op)}
	}
	r := withHead{a.echo}
	api.RegisterHandlersWithOptions(r, api.NewStrictHandler(handlers{a}, nil),
		api.RegisterHandlersOptions{OperationMiddlewares: guards})
	for path, page := range a.Pages {
		var m []echo.MiddlewareFunc
		if op := ct.at(http.MethodGet, path); op != nil {
			m = guards[op.ID]
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
