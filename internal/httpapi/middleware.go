package httpapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/httpapi/wire"
)

// frame is around every request, those that no route takes included. It gives
// the request an id, sets the headers that every answer has, turns a panic into
// an error and an error into an answer, and at last logs one line, which is why
// errors are rendered here: the line tells the status.
func (a *API) frame(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ec echo.Context) error {
		start := a.Now()
		identify(ec)
		defer a.logLine(ec, start) // even when a panic cuts the answer off
		c := callOf(ec)
		a.begin(c, ec.Request(), ec.Response())
		defer c.end()
		setSecurityHeaders(ec)
		a.hurryBody(ec)
		a.nameAll(ec)
		if elsewhere(ec) || a.noOperator(ec) {
			next = echo.NotFoundHandler
		}
		if err := recovered(next, ec); err != nil {
			a.renderError(err, ec)
		}
		return nil
	}
}

// elsewhere reports whether echo took a path for one that it is not: the parameter at
// the end of a route takes nothing at all, and all that is left, slashes included.
func elsewhere(ec echo.Context) bool {
	return ec.Path() != "" && strings.Contains(ec.Path(), ":") &&
		(strings.Count(echo.GetPath(ec.Request()), "/") != strings.Count(ec.Path(), "/") || slices.Contains(ec.ParamValues(), ""))
}

// identify gives the request its id: its own where it brings a decent one.
func identify(ec echo.Context) {
	r := ec.Request()
	id := r.Header.Get("X-Request-Id")
	if !decentID(id) {
		id = newID()
	}
	ec.Response().Header()["X-Request-Id"] = []string{id}
	ec.SetRequest(r.WithContext(context.WithValue(r.Context(), callKey{}, &call{id: id, head: r.Method == http.MethodHead})))
}

// begin gives the request its memory and its turns, at first those of a stranger, and its
// answer a pace.
func (a *API) begin(c *call, r *http.Request, w *echo.Response) {
	c.memory.Begin(a.Budget, memory.Strangers)
	c.processors, c.turn = a.processors, c.work.Turn()
	c.work.Begin(a.processors, memory.Strangers)
	c.writer = wire.NewWriter(r.Context(), w.Writer, a.streamTimeout, &c.memory, c.turn)
	w.Writer = &c.writer
}

// end gives the memory back, and the client time to take what is left of its answer.
func (c *call) end() {
	c.turn.Done()
	c.memory.End()
	c.writer.End()
}

// decentID is ^[A-Za-z0-9._:-]{1,128}$: what may stand in a header, a log line
// and a problem without more ado.
func decentID(id string) bool {
	if len(id) == 0 || len(id) > 128 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == ':', c == '-':
		default:
			return false
		}
	}
	return true
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// statusClientLeft stands in the log for a request whose client did not wait
// for the answer; nginx made it customary.
const statusClientLeft = 499

// logLine writes the access log. The line has the route's pattern and not the
// path or the query, which the client fills with what it likes; and neither
// headers nor bodies.
func (a *API) logLine(ec echo.Context, start time.Time) {
	ctx, c := ec.Request().Context(), callOf(ec)
	level, status := slog.LevelInfo, ec.Response().Status
	if c.left {
		level, status = slog.LevelDebug, statusClientLeft
	}
	if c.op != nil && c.op.Probe {
		level = slog.LevelDebug
	}
	if !a.Logger.Enabled(ctx, level) {
		return
	}
	attrs := [9]slog.Attr{
		slog.String("method", knownMethod(ec.Request().Method)),
		slog.String("route", ec.Path()), // empty where there is none
		slog.Int("status", status),
		slog.Int64("bytes", ec.Response().Size),
		slog.Float64("duration_ms", float64(a.Now().Sub(start).Microseconds())/1000),
		slog.String("request_id", c.id),
		slog.String("client", ec.RealIP()),
	}
	n := 7
	if p := cmp.Or(c.principal, c.bearer); p != nil {
		attrs[n] = slog.String("org_id", p.OrgID)
		n++
	}
	a.Logger.LogAttrs(ctx, level, "request", attrs[:n]...)
}

// knownMethod keeps what a client makes up out of the log.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return m
	}
	return "other"
}

// A panicError is what a handler panicked with.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprint(e.value) }

// recovered calls the handler and turns a panic into an error, which the client
// sees as any other fault. http.ErrAbortHandler is how a handler asks to cut
// the answer off.
func recovered(handler echo.HandlerFunc, ec echo.Context) (err error) {
	defer func() {
		switch v := recover(); {
		case v == nil:
		case isAbort(v):
			panic(v)
		default:
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return handler(ec)
}

func isAbort(v any) bool {
	err, ok := v.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// apiPolicy is the Content-Security-Policy of what is data and never a page.
const apiPolicy = "default-src 'none'; frame-ancestors 'none'"

// headersOfAll are on every answer. The values are shared between answers: to
// append to a slice of full capacity copies it.
var headersOfAll = []struct {
	name  string // in canonical form
	value []string
}{
	{"X-Content-Type-Options", []string{"nosniff"}},
	{"X-Frame-Options", []string{"DENY"}},
	{"Referrer-Policy", []string{"no-referrer"}},
	{"Cross-Origin-Resource-Policy", []string{"same-origin"}},
	{"Content-Security-Policy", []string{apiPolicy}},
	{"Cache-Control", []string{"no-store"}},
}

// setSecurityHeaders sets what a page may then relax for itself. Strict transport
// is for whoever terminates TLS to ask for, and that is seldom this process.
func setSecurityHeaders(ec echo.Context) {
	h := ec.Response().Header()
	for _, one := range headersOfAll {
		h[one.name] = one.value
	}
	if ec.Request().TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}
