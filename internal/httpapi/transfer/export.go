package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/extjson"
	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/httpapi/wire"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// An Export is an export on its way.
type Export struct {
	service   *Service
	ctx       context.Context
	state     *request.State
	principal org.Principal
	filter    tenant.Filter
	stream    extjson.Stream
	read      *request.Reading // the page

	page    []bson.Raw // bodies
	last    bool       // there is no page behind this one
	at      bson.RawValue
	w       http.ResponseWriter
	written int64
	buffer  []byte
}

// NewExport begins an export of the documents that match the filter. It reads the first page
// before there is an answer: an error up to there has a status of its own.
func (s *Service) NewExport(ctx context.Context, filter tenant.Filter, canonical bool) (*Export, error) {
	p, err := request.Principal(ctx)
	if err != nil {
		return nil, err
	}
	e := &Export{service: s, state: request.Of(ctx), principal: p, filter: filter}
	e.ctx, e.read = e.state.Reads(ctx)
	if err := e.state.Memory.Take(extjson.MaxStreamed); err != nil {
		return nil, err
	}
	e.stream.Canonical = canonical
	return e, e.next()
}

// next reads the page behind the one that there is. The memory that one page has taken
// is kept for the next, so that an export that has begun does not end for want of memory.
func (e *Export) next() (err error) {
	if n := len(e.page); n > 0 {
		id := e.page[n-1].Lookup("_id")
		e.at = bson.RawValue{Type: id.Type, Value: bytes.Clone(id.Value)}
	}
	e.page = nil
	if err := errors.Join(e.state.Memory.Keep(e.state.Memory.Held()), e.read.Settle(0)); err != nil {
		return err
	}
	e.page, e.last, err = e.service.Store.Documents(e.principal.OrgID).ExportPage(e.ctx, e.filter, e.at)
	if err == nil {
		err = e.read.Settle(bytesOf(e.page))
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
func (e *Export) VisitExportDocumentsResponse(w http.ResponseWriter) error { return e.write(w) }

// VisitExportQueryResponse implements api.ExportQueryResponseObject.
func (e *Export) VisitExportQueryResponse(w http.ResponseWriter) error { return e.write(w) }

func (e *Export) write(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", LinesType)
	w.WriteHeader(http.StatusOK)
	if e.state.Head {
		return nil
	}
	e.w, e.stream.Flush = w, e.flush
	err := e.writePage()
	for err == nil && !e.last {
		// The bearer was good when the export began, and need not be for as long as it takes.
		if _, err = e.service.Store.Authenticate(e.ctx, e.principal); err == nil {
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
func (e *Export) writePage() error {
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

// flush hands the client what there is. It does not return when there is no client.
func (e *Export) flush(text []byte) ([]byte, error) {
	if _, err := e.w.Write(text); err != nil {
		cutOff(e.state)
	}
	if err := wire.ControllerOf(e.w).Flush(); err != nil {
		cutOff(e.state)
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
func (e *Export) appendTrailer(dst []byte, err error) []byte {
	trailer := exportTrailer{Documents: e.written, Complete: err == nil}
	if err != nil {
		trailer.Code, trailer.Detail = e.service.inStream(e.ctx, err)
	}
	text, err := json.Marshal(map[string]exportTrailer{trailerName: trailer})
	if err != nil {
		panic(err) // strings and numbers only
	}
	return append(append(dst, text...), '\n')
}
