package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/org"
)

// The kinds that only HTTP knows; the others are package org's.
const (
	malformed            org.Kind = "malformed"
	methodNotAllowed     org.Kind = "method_not_allowed"
	bodyTooLarge         org.Kind = "body_too_large"
	unsupportedMediaType org.Kind = "unsupported_media_type"
)

// kinds is the one table from kind to status, with what to tell a client when
// the error itself does not say.
var kinds = []struct {
	kind   org.Kind
	status int
	detail string
}{
	{malformed, http.StatusBadRequest, "The request does not fit the contract."},
	{org.Unauthenticated, http.StatusUnauthorized, "Log in and send the token."},
	{org.TokenRevoked, http.StatusUnauthorized, "The token is no longer good. Log in again."},
	{org.BadCredentials, http.StatusUnauthorized, "The e-mail address or the password is wrong."},
	{org.NotFound, http.StatusNotFound, "There is no such thing."},
	{methodNotAllowed, http.StatusMethodNotAllowed, "Use one of the methods that Allow names."},
	{org.NameTaken, http.StatusConflict, "Another organization has this name. Choose another."},
	{org.EmailTaken, http.StatusConflict, "Another admin has this e-mail address. Choose another."},
	{org.OrganizationDeleting, http.StatusConflict, "The organization is deleted, or being deleted."},
	{org.OperationInProgress, http.StatusConflict, "The organization is being changed. Try again when that is done."},
	{org.DocumentExists, http.StatusConflict, "There is a document with this _id."},
	{org.DuplicateKey, http.StatusConflict, "Another document has the same key in a unique index."},
	{org.IndexExists, http.StatusConflict, "There is another index of this name, or one with these keys."},
	{org.NoIndex, http.StatusBadRequest, "There is no index that has this order. Create one."},
	{org.PreconditionFailed, http.StatusPreconditionFailed, "The document is not what the request's condition asks for."},
	{org.TooLarge, http.StatusRequestEntityTooLarge, "The document is larger than 16 MiB."},
	{org.QueryTimeout, http.StatusServiceUnavailable, "The query took too long. Ask for less, or create an index."},
	{bodyTooLarge, http.StatusRequestEntityTooLarge, "The body is too large."},
	{unsupportedMediaType, http.StatusUnsupportedMediaType, "Send Content-Type: application/json."},
	{org.IdempotencyInProgress, http.StatusConflict, "The request is still being worked on. Try again in a moment."},
	{org.IdempotencyKeyReused, http.StatusUnprocessableEntity, "The Idempotency-Key came with another request before."},
	{org.QuotaExceeded, http.StatusInsufficientStorage, "The organization may not have more than it has."},
	{org.Invalid, http.StatusUnprocessableEntity, "A value is refused."},
	{org.Suspended, http.StatusLocked, "The organization is suspended. Ask the operator of this service."},
	{org.RateLimited, http.StatusTooManyRequests, "Too many attempts. Try again later."},
	{org.Unavailable, http.StatusServiceUnavailable, "The service cannot answer at the moment. Nothing was done. Try again later."},
	{org.StorageFull, http.StatusServiceUnavailable, "The disk of the storage is full. Nothing was done. Reads and deletions go on; ask the operator of this service to make room."},
	{org.OutcomeUnknown, http.StatusServiceUnavailable, "The service stopped answering half-way; it may have been done. Look before you try again."},
	{org.Internal, http.StatusInternalServerError, "A fault of the server. Its log has the details under request_id."},
}

// A problem is an RFC 9457 problem, the contract's schema Problem.
type problem struct {
	Type        string       `json:"type"`
	Title       string       `json:"title"`
	Status      int          `json:"status"`
	Code        org.Kind     `json:"code"`
	Detail      string       `json:"detail,omitempty"`
	RequestID   string       `json:"request_id"`
	OperationID string       `json:"operation_id,omitempty"`
	Errors      []fieldError `json:"errors,omitempty"`

	// retryAfter is how long the client should wait before it tries again, 0 if that is not known.
	retryAfter time.Duration
}

// A fieldError says what is wrong with one input, the contract's FieldError.
type fieldError struct {
	Pointer   string `json:"pointer,omitempty"`
	Parameter string `json:"parameter,omitempty"`
	Detail    string `json:"detail"`
}

// A requestError is a request that HTTP alone, without any domain, refuses.
type requestError struct {
	kind   org.Kind
	detail string // empty: as the table says
	fields []fieldError
}

func (e *requestError) Error() string { return string(e.kind) + ": " + e.detail }

// An inputError is what is wrong with one input, which comes as a parameter to one
// operation and in the body to another.
type inputError struct{ name, detail string }

func (e *inputError) Error() string { return e.name + ": " + e.detail }

// problemOf is what the client is told of an error: the client never learns any more of it.
// The parameters are the query parameters that the request's endpoint has.
func problemOf(err error, requestID string, parameters map[string]bool) problem {
	p := problem{Type: "about:blank", Code: org.Internal, RequestID: requestID}
	var (
		refused *requestError
		input   *inputError
		domain  *org.Error
		routed  *echo.HTTPError
	)
	switch {
	case errors.As(err, &refused):
		p.Code, p.Detail, p.Errors = refused.kind, refused.detail, refused.fields
	case errors.As(err, &input):
		p.Code, p.Errors = malformed, []fieldError{namedField(input.name, input.detail, parameters)}
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

// newProblem is a problem of a kind, with the table's text if the detail is empty.
func newProblem(kind org.Kind, detail string) problem {
	p := problem{Type: "about:blank", Code: kind, Detail: detail}
	p.fill()
	return p
}

// fill adds what follows from the kind. A kind that the table does not know is
// a fault of orgd.
func (p *problem) fill() {
	row := kinds[len(kinds)-1]
	for _, k := range kinds {
		if k.kind == p.Code {
			row = k
		}
	}
	if row.kind != p.Code || row.kind == org.Internal {
		*p = problem{Type: p.Type, Code: row.kind, RequestID: p.RequestID}
	}
	p.Status, p.Title = row.status, http.StatusText(row.status)
	if p.Detail == "" {
		p.Detail = row.detail
	}
	p.Detail = clip(p.Detail, 2048)
}

// routedKind is for the errors of echo's router and of the generated code.
func routedKind(status int) (org.Kind, string) {
	switch {
	case status == http.StatusNotFound:
		return org.NotFound, "There is nothing at this path."
	case status == http.StatusMethodNotAllowed:
		return methodNotAllowed, ""
	case status >= 400 && status < 500:
		return malformed, ""
	}
	return org.Internal, ""
}

// domainFields names the inputs that a domain error is about as the contract
// does: a query parameter by name, any other input by its place in the body.
func domainFields(e *org.Error, parameters map[string]bool) []fieldError {
	fields := e.Fields
	if len(fields) == 0 {
		switch e.Kind {
		case org.NameTaken:
			fields = []org.FieldError{{Field: "organization_name", Detail: "is taken"}}
		case org.EmailTaken:
			fields = []org.FieldError{{Field: "email", Detail: "is taken"}}
		}
	}
	var out []fieldError
	for _, f := range fields {
		out = append(out, namedField(f.Field, f.Detail, parameters))
	}
	return out
}

// namedField says what is wrong with the input of that name.
func namedField(name, detail string, parameters map[string]bool) fieldError {
	if parameters[name] {
		return fieldError{Parameter: name, Detail: clip(detail, 1024)}
	}
	return fieldError{Pointer: pointer(name), Detail: clip(detail, 1024)}
}

// retryHeader is the value of Retry-After; empty where the answer has none.
func (p *problem) retryHeader() string {
	if p.Status != http.StatusTooManyRequests && p.Status != http.StatusServiceUnavailable && p.Code != org.IdempotencyInProgress {
		return ""
	}
	return retryAfter(p.retryAfter)
}

// bareProblem is the JSON of a problem where there is no request, and so no id of one.
func bareProblem(status int, code org.Kind, detail string) []byte {
	return fmt.Appendf(nil, `{"type":"about:blank","title":%q,"status":%d,"code":%q,"detail":%q}`+"\n", http.StatusText(status), status, code, detail)
}

// retryAfter is a time in whole seconds, rounded up, within what the contract allows.
func retryAfter(d time.Duration) string {
	if d <= 0 {
		d = time.Second
	}
	return strconv.FormatInt(int64(min(max((d+time.Second-1)/time.Second, 1), 86400)), 10)
}

// clip keeps a text within the contract's maxLength, in characters.
func clip(s string, most int) string {
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// maxPointer is maxLength of the contract's FieldError.pointer.
const maxPointer = 1024

// pointer writes a JSON Pointer as a URI fragment (RFC 6901, section 6). Where
// it would be too long, because the client made up an endless name, it points
// at the object around that.
func pointer(path ...string) string {
	var b strings.Builder
	b.WriteByte('#')
	for _, name := range path {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
		name = (&url.URL{Fragment: name}).EscapedFragment()
		if b.Len()+1+len(name) > maxPointer {
			break
		}
		b.WriteByte('/')
		b.WriteString(name)
	}
	return b.String()
}
