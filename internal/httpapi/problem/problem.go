// Package problem is what clients are told of errors. It has the one table from the kinds of
// errors to statuses and texts, and makes problems of RFC 9457 from errors with it. What an
// error does not say of itself, and of a fault anything at all, clients do not learn.
package problem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/org"
)

// A Problem is a problem of RFC 9457, the contract's schema Problem.
type Problem struct {
	Type        string   `json:"type"`
	Title       string   `json:"title"`
	Status      int      `json:"status"`
	Code        org.Kind `json:"code"`
	Detail      string   `json:"detail,omitempty"`
	RequestID   string   `json:"request_id"`
	OperationID string   `json:"operation_id,omitempty"`
	Errors      []Field  `json:"errors,omitempty"`

	// retryAfter is how long the client should wait before it tries again, 0 if that is not known.
	retryAfter time.Duration
}

// A Refusal is the error of a request that HTTP alone refuses, without the store.
type Refusal struct {
	Kind   org.Kind
	Detail string // empty: as the table says
	Fields []Field
}

func (e *Refusal) Error() string { return string(e.Kind) + ": " + e.Detail }

// Misfit is the refusal of a request that does not fit the contract, with what is wrong with it.
func Misfit(fields ...Field) *Refusal { return &Refusal{Kind: Malformed, Fields: fields} }

// ErrCutOff is the refusal of a body, or a stream, that did not come to its end.
var ErrCutOff = &Refusal{Kind: Malformed, Detail: "The body did not arrive whole."}

// An inputError is what is wrong with one input.
type inputError struct{ name, detail string }

func (e *inputError) Error() string { return e.name + ": " + e.detail }

// Input says what is wrong with one input, by its name in the contract. Of some endpoints it is
// a query parameter, of others a property of the body: which it is depends on the request.
func Input(name, detail string) error { return &inputError{name, detail} }

// Of is what the client is told of an error: the client never learns any more of it.
// The parameters are the query parameters that the request's endpoint has.
func Of(err error, requestID string, parameters map[string]bool) Problem {
	p := Problem{Type: "about:blank", Code: org.Internal, RequestID: requestID}
	var (
		refused *Refusal
		input   *inputError
		domain  *org.Error
		routed  *echo.HTTPError
	)
	switch {
	case errors.As(err, &refused):
		p.Code, p.Detail, p.Errors = refused.Kind, refused.Detail, refused.Fields
	case errors.As(err, &input):
		p.Code, p.Errors = Malformed, []Field{namedField(input.name, input.detail, parameters)}
	case errors.As(err, &domain):
		p.Code, p.Detail, p.Errors = domain.Kind, domain.Message, domainFields(domain, parameters)
		p.OperationID, p.retryAfter = domain.Operation, domain.RetryAfter
	case errors.As(err, &routed):
		p.Code, p.Detail = routedKind(routed.Code)
	case errors.As(err, &p.Code): // a bare kind
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		// How far the work came is not known, so the problem must not say "nothing was done".
		p.Code = org.OutcomeUnknown
	}
	p.fill()
	return p
}

// New is a problem of a kind, with the table's text if the detail is empty.
func New(kind org.Kind, detail string) Problem {
	p := Problem{Type: "about:blank", Code: kind, Detail: detail}
	p.fill()
	return p
}

// fill adds what follows from the kind. A kind that the table does not know is
// a fault of orgd.
func (p *Problem) fill() {
	row := kinds[len(kinds)-1]
	for _, k := range kinds {
		if k.kind == p.Code {
			row = k
		}
	}
	if row.kind != p.Code || row.kind == org.Internal {
		*p = Problem{Type: p.Type, Code: row.kind, RequestID: p.RequestID}
	}
	p.Status, p.Title = row.status, http.StatusText(row.status)
	if p.Detail == "" {
		p.Detail = row.detail
	}
	p.Detail = Clip(p.Detail, 2048)
}

// routedKind is for the errors of echo's router and of the generated code.
func routedKind(status int) (org.Kind, string) {
	switch {
	case status == http.StatusNotFound:
		return org.NotFound, "There is nothing at this path."
	case status == http.StatusMethodNotAllowed:
		return methodNotAllowed, ""
	case status >= 400 && status < 500:
		return Malformed, ""
	}
	return org.Internal, ""
}

// domainFields names the inputs that a domain error is about as the contract
// does: a query parameter by name, any other input by its place in the body.
func domainFields(e *org.Error, parameters map[string]bool) []Field {
	fields := e.Fields
	if len(fields) == 0 {
		switch e.Kind {
		case org.NameTaken:
			fields = []org.FieldError{{Field: "organization_name", Detail: "is taken"}}
		case org.EmailTaken:
			fields = []org.FieldError{{Field: "email", Detail: "is taken"}}
		}
	}
	var out []Field
	for _, f := range fields {
		out = append(out, namedField(f.Field, f.Detail, parameters))
	}
	return out
}

// RetryHeader is the value of Retry-After; empty where the answer has none.
func (p *Problem) RetryHeader() string {
	if p.Status != http.StatusTooManyRequests && p.Status != http.StatusServiceUnavailable && p.Code != org.IdempotencyInProgress {
		return ""
	}
	return RetryAfter(p.retryAfter)
}

// Bare is the JSON of a problem where there is no request, and so no id of one.
func Bare(status int, code org.Kind, detail string) []byte {
	return fmt.Appendf(nil, `{"type":"about:blank","title":%q,"status":%d,"code":%q,"detail":%q}`+"\n", http.StatusText(status), status, code, detail)
}

// RetryAfter is a time in whole seconds, rounded up, within what the contract allows.
func RetryAfter(d time.Duration) string {
	if d <= 0 {
		d = time.Second
	}
	return strconv.FormatInt(int64(min(max((d+time.Second-1)/time.Second, 1), 86400)), 10)
}
