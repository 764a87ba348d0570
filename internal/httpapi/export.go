package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/extjson"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/httpapi/wire"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// ExportDocuments implements api.StrictServerInterface.
func (h handlers) ExportDocuments(ctx context.Context, req api.ExportDocumentsRequestObject) (api.ExportDocumentsResponseObject, error) {
	return h.export(ctx, api.ExportQuery{Filter: filterOf(req.Params.Filter), Canonical: req.Params.Canonical})
}

// ExportQuery implements api.StrictServerInterface.
func (h handlers) ExportQuery(ctx context.Context, req api.ExportQueryRequestObject) (api.ExportQueryResponseObject, error) {
	return h.export(ctx, *req.Body)
}

// export reads the first page before it answers: what is wrong up to there has a status of
// its own.
func (h handlers) export(ctx context.Context, in api.ExportQuery) (*exporting, error) {
	p, err := principalOf(ctx)
	if err != nil {
		return nil, err
	}
	e := &exporting{API: h.API, principal: p, memory: &callFrom(ctx).memory}
	e.ctx, e.read = callFrom(ctx).reads(ctx)
	if err := e.memory.Take(extjson.MaxStreamed); err != nil {
		return nil, err
	}
	if e.filter, err = takeFilter(ctx, in.Filter); err != nil {
		return nil, err
	}
	e.stream.Canonical = in.Canonical != nil && *in.Canonical
	return e, e.next()
}

// exporting is an export on its way.
type exporting struct {
	*API
	ctx       context.Context
	principal org.Principal
	filter    tenant.Filter
	stream    extjson.Stream
	memory    *memory.Hold
	read      *reading // the page

	page    []bson.Raw // bodies
	last    bool       // there is no page behind this one
	at      bson.RawValue
	w       http.ResponseWriter
	written int64
	buffer  []byte
}

// next reads the page behind the one that there is. The memory that one page has taken
// is kept for the next, so that an export that has begun does not end for want of it.
func (e *exporting) next() (err error) {
	if n := len(e.page); n > 0 {
		id := e.page[n-1].Lookup("_id")
		e.at = bson.RawValue{Type: id.Type, Value: bytes.Clone(id.Value)}
	}
	e.page = nil
	if err := errors.Join(e.memory.Keep(e.memory.Held()), e.read.settle(0)); err != nil {
		return err
	}
	e.page, e.last, err = e.Store.Documents(e.principal.OrgID).ExportPage(e.ctx, e.filter, e.at)
	if err == nil {
		err = e.read.settle(bytesOf(e.page))
	}
	return err
}

func bytesOf(page []bson.Raw) (bytes int) {
	for _, body := range page {
		bytes += len(body)
	}
	return bytes
}

// VisitExportDocumentsResponse implements api.ExportDocumentsResponseObject.
func (e *exporting) VisitExportDocumentsResponse(w http.ResponseWriter) error { return e.write(w) }

// VisitExportQueryResponse implements api.ExportQueryResponseObject.
func (e *exporting) VisitExportQueryResponse(w http.ResponseWriter) error { return e.write(w) }

func (e *exporting) write(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", linesType)
	w.WriteHeader(http.StatusOK)
	if callFrom(e.ctx).head {
		return nil
	}
	e.w, e.stream.Flush = w, e.flush
	err := e.writePage()
	for err == nil && !e.last {
		// What was good when it began need not be so for as long as it takes.
		if _, err = e.Store.Authenticate(e.ctx, e.principal); err == nil {
			err = e.next()
		}
		if err == nil {
			err = e.writePage()
		}
	}
	_, _ = e.flush(e.appendTrailer(e.buffer[:0], err))
	return nil
}

// writePage writes the documents of a page, in pieces, and has all of it sent.
func (e *exporting) writePage() error {
	paced := wire.WriterOf(e.w)
	for _, doc := range e.page {
		if err := paced.ShareFor(len(doc)); err != nil {
			return err
		}
		text, _ := e.stream.Append(e.buffer, doc)
		e.buffer = append(text, '\n')
		e.written++
	}
	e.buffer, _ = e.flush(e.buffer)
	paced.EndTurn()
	return e.ctx.Err()
}

// flush hands the client what there is. It does not come back when there is no client.
func (e *exporting) flush(text []byte) ([]byte, error) {
	if _, err := e.w.Write(text); err != nil {
		cutOff(e.ctx)
	}
	if err := wire.ControllerOf(e.w).Flush(); err != nil {
		cutOff(e.ctx)
	}
	return text[:0], nil
}

// trailerName is the one property of an export's last line.
const trailerName = "_trailer"

// exportTrailer is the contract's ExportTrailer.
type exportTrailer struct {
	Documents int64    `json:"documents"`
	Complete  bool     `json:"complete"`
	Code      org.Kind `json:"code,omitempty"`
	Detail    string   `json:"detail,omitempty"`
}

// appendTrailer appends the last line, which no document can be: it has no _id.
func (e *exporting) appendTrailer(dst []byte, err error) []byte {
	trailer := exportTrailer{Documents: e.written, Complete: err == nil}
	if err != nil {
		trailer.Code, trailer.Detail = e.inStream(e.ctx, err)
	}
	text, err := json.Marshal(map[string]exportTrailer{trailerName: trailer})
	if err != nil {
		panic(err) // strings and numbers only
	}
	return append(append(dst, text...), '\n')
}

// inStream is an error as it stands in a stream, where a status comes too late. As
// any other it is logged if it is not the client's doing.
func (a *API) inStream(ctx context.Context, err error) (org.Kind, string) {
	c := callFrom(ctx)
	p := c.problem(err)
	level := slog.LevelWarn
	switch {
	case p.Code == org.Internal:
		level = slog.LevelError
	case p.Status < http.StatusInternalServerError:
		return p.Code, p.Detail
	}
	a.Logger.LogAttrs(ctx, level, "stream failed", slog.String("request_id", c.id), slog.String("error", err.Error()))
	return p.Code, p.Detail
}

// linesType is the media type of JSON values, one a line.
const linesType = "application/x-ndjson"

// cutOff ends an answer that cannot be brought to its end: its client is gone, or
// takes nothing of it.
func cutOff(ctx context.Context) {
	callFrom(ctx).left = true
	panic(http.ErrAbortHandler)
}
