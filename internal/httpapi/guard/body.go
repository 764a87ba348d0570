package guard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/wire"
)

// readBody reads the body, once its media type is known to be one that the endpoint takes, and
// puts it back for openapi3filter.
func (g *Guard) readBody(e *contract.Endpoint, ec echo.Context) ([]byte, error) {
	r := ec.Request()
	if r.ContentLength == 0 { // and not chunked, which is -1
		return nil, nil
	}
	if e.Streams.Request() {
		return nil, e.CheckMediaType(r.Header)
	}
	data, err := g.readTyped(e, ec)
	if err != nil {
		return nil, err
	}
	if r.Body = http.NoBody; !e.Document { // a document its handler has, and lets go of
		r.Body = io.NopCloser(bytes.NewReader(data))
	}
	// The deadline, left in place, would end the request's context while a long
	// operation is under way.
	_ = http.NewResponseController(ec.Response().Writer).SetReadDeadline(time.Time{})
	return data, nil
}

func (g *Guard) readTyped(e *contract.Endpoint, ec echo.Context) ([]byte, error) {
	r := ec.Request()
	if e.Body == nil {
		return nil, refuseBody(r)
	}
	if err := e.CheckMediaType(r.Header); err != nil {
		return nil, err
	}
	return g.readLimited(ec, e.BodyLimit(g.BodyLimit))
}

// readLimited reads at most the limit and a byte, while there is memory for the body and it
// comes fast enough. For the rest net/http does not wait: it closes the connection.
func (g *Guard) readLimited(ec echo.Context, limit int64) ([]byte, error) {
	r, w, s := ec.Request(), ec.Response().Writer, stateOf(ec)
	most := limit
	if r.ContentLength > 0 {
		most = min(most, r.ContentLength)
	}
	body := wire.NewReader(r.Context(), http.MaxBytesReader(w, r.Body, limit), http.NewResponseController(w), s.Timeouts.Body, &s.Memory, s.Turn)
	defer s.Turn.Done()
	data := memory.NewBuffer(s.Memory.Take, s.Memory.Give)
	err := data.ReadAll(body, int(most))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge(limit)
	case errors.Is(err, memory.ErrExhausted):
		w.Header().Set("Connection", "close")
		return nil, err
	case err != nil:
		return nil, problem.ErrCutOff
	}
	return data.Bytes(), nil
}

// refuseBody refuses a body of unknown length, unless it is empty.
func refuseBody(r *http.Request) error {
	var one [1]byte
	switch n, err := io.ReadFull(r.Body, one[:]); {
	case n > 0:
		return errBodyNotAllowed
	case err != io.EOF:
		return problem.ErrCutOff
	}
	return nil
}

// checkLength refuses by its declared length a body that is too large, without
// reading any of it, and any body where none belongs: a client that sends one to
// DELETE /org/delete believes that it says what is deleted.
func (g *Guard) checkLength(e *contract.Endpoint, r *http.Request) error {
	switch {
	case e.Body == nil && r.ContentLength > 0:
		return errBodyNotAllowed
	case e.Body != nil && r.ContentLength > e.BodyLimit(g.BodyLimit):
		return tooLarge(e.BodyLimit(g.BodyLimit))
	}
	return nil
}

var errBodyNotAllowed = problem.Misfit(problem.Field{Pointer: "#", Detail: "this operation takes no body"})

func tooLarge(limit int64) error {
	return &problem.Refusal{Kind: problem.BodyTooLarge, Detail: fmt.Sprintf("The body is larger than %d bytes.", limit)}
}
