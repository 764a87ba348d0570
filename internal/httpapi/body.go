package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/oapi-codegen/runtime"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/wire"
)

// hurryBody sets the deadline for the body, whether or not anybody is going to
// read it: what is left of it net/http itself waits for before it answers.
// readBody moves it on, and lifts it. (A writer without deadlines is a test's.)
func (a *API) hurryBody(ec echo.Context) {
	if ec.Request().ContentLength != 0 {
		callOf(ec).writer.RenewDeadline()
		_ = http.NewResponseController(ec.Response().Writer).SetReadDeadline(time.Now().Add(a.bodyTimeout))
	}
}

// readBody reads the body, once its media type is known to be one the operation
// takes, and puts it back for openapi3filter.
func (a *API) readBody(op *operation, ec echo.Context) ([]byte, error) {
	r := ec.Request()
	if r.ContentLength == 0 { // and not chunked, which is -1
		return nil, nil
	}
	if op.Streams.Request() {
		return nil, checkStream(op, r.Header)
	}
	data, err := a.readTyped(op, ec)
	if err != nil {
		return nil, err
	}
	if r.Body = http.NoBody; !op.document { // which its handler has, and lets go of
		r.Body = io.NopCloser(bytes.NewReader(data))
	}
	// Left in place, the deadline would end the request's context in the middle
	// of a long operation.
	_ = http.NewResponseController(ec.Response().Writer).SetReadDeadline(time.Time{})
	return data, nil
}

func (a *API) readTyped(op *operation, ec echo.Context) ([]byte, error) {
	r := ec.Request()
	if op.body == nil {
		return nil, refuseBody(r)
	}
	mediaType, refused := bodyType(op, r.Header)
	if refused != "" {
		return nil, &problem.Refusal{Kind: problem.UnsupportedMediaType, Detail: refused}
	}
	r.Header["Content-Type"] = []string{mediaType} // as the contract spells it
	return a.readLimited(ec, op.limit(a.BodyLimit))
}

// readLimited reads at most the limit and a byte, while there is memory for it and it
// comes fast enough. What is not read net/http does not wait for: it closes the connection.
func (a *API) readLimited(ec echo.Context, limit int64) ([]byte, error) {
	r, w, held := ec.Request(), ec.Response().Writer, &callOf(ec).memory
	most := limit
	if r.ContentLength > 0 {
		most = min(most, r.ContentLength)
	}
	turn := callOf(ec).turn
	body := wire.NewReader(r.Context(), http.MaxBytesReader(w, r.Body, limit), http.NewResponseController(w), a.bodyTimeout, held, turn)
	defer turn.Done()
	data := memory.NewBuffer(held.Take, held.Give)
	err := data.ReadAll(body, int(most))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge(limit)
	case errors.Is(err, memory.ErrExhausted):
		w.Header().Set("Connection", "close")
		return nil, err
	case err != nil:
		return nil, errCutOff
	}
	return data.Bytes(), nil
}

// refuseBody looks whether a body of unknown length is there at all.
func refuseBody(r *http.Request) error {
	var one [1]byte
	switch n, err := io.ReadFull(r.Body, one[:]); {
	case n > 0:
		return errBodyNotAllowed
	case err != io.EOF:
		return errCutOff
	}
	return nil
}

var errCutOff = &problem.Refusal{Kind: problem.Malformed, Detail: "The body did not arrive whole."}

// binder gives a handler the value that was validated, member names matched
// exactly, and nothing else: what was not validated is not bound.
type binder struct{}

// Bind implements echo.Binder.
func (binder) Bind(v any, ec echo.Context) error {
	if c := callOf(ec); c.op != nil && c.op.document {
		*v.(*json.RawMessage) = c.document // as the contract says by x-go-type
		return nil
	}
	validated, ok := ec.Request().Body.(interface{ ValidatedValue() any })
	if !ok && ec.Request().ContentLength == 0 {
		return nil // none came, which the guard lets pass where it is optional
	}
	if !ok {
		return fmt.Errorf("bind the body of %s: it was not validated", ec.Path())
	}
	value := putBack(plainIntegers(validated.ValidatedValue()), callOf(ec).extended)
	if err := runtime.BindJSONValue(value, v); err != nil {
		return fmt.Errorf("bind the body of %s: %w", ec.Path(), err)
	}
	return nil
}

// plainIntegers returns a validated value with its integers as Go's types read them: to JSON
// Schema 1e3 and 1.0 are integers, too.
func plainIntegers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil && float64(int64(f)) == f && strings.ContainsAny(v.String(), ".eE") {
			return int64(f)
		}
	case []any:
		for i := range v {
			v[i] = plainIntegers(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plainIntegers(v[name])
		}
	}
	return v
}
