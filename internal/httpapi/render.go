package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/wire"
	"github.com/orgd/orgd/internal/org"
)

// renderError writes an error as the answer: the one place that does. It logs
// what the client is not told, once. An answer that has already begun cannot be
// turned into an error, so it is cut off, which the client notices.
func (a *API) renderError(err error, ec echo.Context) {
	c := callOf(ec)
	p := c.problem(err)
	c.left = errors.Is(err, wire.ErrNotTaken) || errors.Is(err, context.Canceled) && ec.Request().Context().Err() != nil
	if !c.left {
		a.logFault(ec, err, p)
	}
	if ec.Response().Committed {
		panic(http.ErrAbortHandler)
	}
	h := ec.Response().Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", apiPolicy)
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", challenge(p.Code, c))
	}
	if wait := p.RetryHeader(); wait != "" {
		h.Set("Retry-After", wait)
	}
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers only
	}
	ec.Response().WriteHeader(p.Status)
	// A failure to write means that the client is gone; there is nobody to tell.
	_, _ = ec.Response().Write(append(body, '\n'))
}

// logFault logs the causes of 5xx answers. The others are the client's doing and
// stand in the access log.
func (a *API) logFault(ec echo.Context, err error, p problem.Problem) {
	ctx, id := ec.Request().Context(), slog.String("request_id", p.RequestID)
	var crash *panicError
	switch {
	case errors.As(err, &crash):
		a.Logger.LogAttrs(ctx, slog.LevelError, "panic", id, slog.String("error", crash.Error()), slog.String("stack", string(crash.stack)))
	case p.Code == org.Internal || ec.Response().Committed:
		a.Logger.LogAttrs(ctx, slog.LevelError, "request failed", id, slog.String("error", err.Error()))
	case p.Status == http.StatusServiceUnavailable:
		a.Logger.LogAttrs(ctx, slog.LevelWarn, "request not served", id, slog.String("error", err.Error()))
	}
}

// challenge is the value of WWW-Authenticate. It gives an error code only where
// a bearer token came (RFC 6750, section 3).
func challenge(k org.Kind, c *call) string {
	if c.token && k != org.BadCredentials {
		return `Bearer realm="orgd", error="invalid_token"`
	}
	return `Bearer realm="orgd"`
}
