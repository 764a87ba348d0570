package frame

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/httpapi/wire"
	"github.com/orgd/orgd/internal/org"
)

// RenderError writes an error as the answer: the one place that does. It logs once what the
// client is not told. An answer that has already begun cannot become an error, so it is cut
// off, which the client notices.
func (f *Frame) RenderError(err error, ec echo.Context) {
	s := request.Of(ec.Request().Context())
	p := s.Problem(err)
	s.Left = errors.Is(err, wire.ErrNotTaken) || errors.Is(err, context.Canceled) && ec.Request().Context().Err() != nil
	if !s.Left {
		f.logFault(ec, err, p)
	}
	if ec.Response().Committed {
		panic(http.ErrAbortHandler)
	}
	h := ec.Response().Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", apiPolicy)
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", challenge(p.Code, s.Token))
	}
	if wait := p.RetryHeader(); wait != "" {
		h.Set("Retry-After", wait)
	}
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers only
	}
	ec.Response().WriteHeader(p.Status)
	// A failure to write means that the client is gone; no client is left to tell.
	_, _ = ec.Response().Write(append(body, '\n'))
}

// logFault logs the causes of 5xx answers. Other errors are the client's doing, and the access
// log has them.
func (f *Frame) logFault(ec echo.Context, err error, p problem.Problem) {
	ctx, id := ec.Request().Context(), slog.String("request_id", p.RequestID)
	var crash *panicError
	switch {
	case errors.As(err, &crash):
		f.Logger.LogAttrs(ctx, slog.LevelError, "panic", id, slog.String("error", crash.Error()), slog.String("stack", string(crash.stack)))
	case p.Code == org.Internal || ec.Response().Committed:
		f.Logger.LogAttrs(ctx, slog.LevelError, "request failed", id, slog.String("error", err.Error()))
	case p.Status == http.StatusServiceUnavailable:
		f.Logger.LogAttrs(ctx, slog.LevelWarn, "request not served", id, slog.String("error", err.Error()))
	}
}

// challenge is the value of WWW-Authenticate. It has an error code only where a bearer token
// came (RFC 6750, section 3).
func challenge(k org.Kind, bearer bool) string {
	if bearer && k != org.BadCredentials {
		return `Bearer realm="orgd", error="invalid_token"`
	}
	return `Bearer realm="orgd"`
}
