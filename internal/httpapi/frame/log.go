package frame

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/httpapi/request"
)

// statusClientLeft stands in the log for a request whose client did not wait for the answer, as
// in nginx's.
const statusClientLeft = 499

// logLine writes the access log. The line has the route's pattern, and not the path or the
// query, whose text is the client's; and neither headers nor bodies.
func (f *Frame) logLine(ec echo.Context, s *request.State, start time.Time) {
	ctx := ec.Request().Context()
	level, status := slog.LevelInfo, ec.Response().Status
	if s.Left {
		level, status = slog.LevelDebug, statusClientLeft
	}
	if s.Endpoint != nil && s.Endpoint.Probe {
		level = slog.LevelDebug
	}
	if !f.Logger.Enabled(ctx, level) {
		return
	}
	attrs := [9]slog.Attr{
		slog.String("method", knownMethod(ec.Request().Method)),
		slog.String("route", ec.Path()), // empty where there is none
		slog.Int("status", status),
		slog.Int64("bytes", ec.Response().Size),
		slog.Float64("duration_ms", float64(f.Now().Sub(start).Microseconds())/1000),
		slog.String("request_id", s.ID),
		slog.String("client", ec.RealIP()),
	}
	n := 7
	if p := cmp.Or(s.Principal, s.Bearer); p != nil {
		attrs[n] = slog.String("org_id", p.OrgID)
		n++
	}
	f.Logger.LogAttrs(ctx, level, "request", attrs[:n]...)
}

// knownMethod keeps methods that a client makes up out of the log.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return m
	}
	return "other"
}
