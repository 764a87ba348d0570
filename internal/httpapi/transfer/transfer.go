// Package transfer is imports and exports: streams of documents, one a line, that take as long
// as their clients and the storage need. If a stream ends early, its last line says why.
package transfer

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// A Service makes imports and exports.
type Service struct {
	Store  *tenant.Store
	Logger *slog.Logger
}

// LinesType is the media type of JSON values, one a line.
const LinesType = "application/x-ndjson"

// inStream is an error as it stands in a stream, where a status comes too late. As
// any other it is logged if it is not the client's doing.
func (s *Service) inStream(ctx context.Context, err error) (org.Kind, string) {
	state := request.Of(ctx)
	p := state.Problem(err)
	level := slog.LevelWarn
	switch {
	case p.Code == org.Internal:
		level = slog.LevelError
	case p.Status < http.StatusInternalServerError:
		return p.Code, p.Detail
	}
	s.Logger.LogAttrs(ctx, level, "stream failed", slog.String("request_id", state.ID), slog.String("error", err.Error()))
	return p.Code, p.Detail
}

// cutOff ends an answer that cannot be brought to its end: its client has left, or takes
// nothing of it.
func cutOff(state *request.State) {
	state.Left = true
	panic(http.ErrAbortHandler)
}
