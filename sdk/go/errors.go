package orgd

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/orgd/orgd/sdk/go/internal/problem"
	"github.com/orgd/orgd/sdk/go/internal/transport"
)

// A Code is the contract's name for what went wrong, and an error that
// errors.Is finds in what this package returns. A code that is newer than this
// package can be written as Code("its_name").
type Code string

// The codes of the contract.
const (
	// ErrMalformed: the request breaks the contract; [Error.Fields] says where.
	ErrMalformed Code = "malformed"
	// ErrInvalid: a value is refused; [Error.Fields] says which.
	ErrInvalid Code = "invalid"
	// ErrUnauthenticated: no token, or a bad or expired one.
	ErrUnauthenticated Code = "unauthenticated"
	// ErrTokenRevoked: the token was good and is not any more: the credentials
	// changed, or the admin or the organization is gone.
	ErrTokenRevoked Code = "token_revoked"
	// ErrBadCredentials: a wrong e-mail address or password.
	ErrBadCredentials Code = "bad_credentials"
	// ErrNotFound: what the request names does not exist.
	ErrNotFound Code = "not_found"
	// ErrMethodNotAllowed: the path does not take this method.
	ErrMethodNotAllowed Code = "method_not_allowed"
	// ErrNameTaken: another organization has the name.
	ErrNameTaken Code = "name_taken"
	// ErrEmailTaken: another admin has the e-mail address.
	ErrEmailTaken Code = "email_taken"
	// ErrOperationInProgress: another operation, [Error.OperationID], is changing the
	// organization.
	ErrOperationInProgress Code = "operation_in_progress"
	// ErrSuspended: the organization is suspended; the operator can resume it.
	ErrSuspended Code = "suspended"
	// ErrOrganizationDeleting: the organization is deleted, or being deleted.
	ErrOrganizationDeleting Code = "organization_deleting"
	// ErrDocumentExists: a document has this _id already.
	ErrDocumentExists Code = "document_exists"
	// ErrDuplicateKey: another document has the same key in a unique index.
	ErrDuplicateKey Code = "duplicate_key"
	// ErrIndexExists: another index has this name or these keys.
	ErrIndexExists Code = "index_exists"
	// ErrNoIndex: no index has the requested order; [Error.Detail] says which index to
	// create.
	ErrNoIndex Code = "no_index"
	// ErrPreconditionFailed: the document does not meet [IfMatch], [IfPresent] or
	// [IfAbsent]; another client may have changed it.
	ErrPreconditionFailed Code = "precondition_failed"
	// ErrTooLarge: the document is larger than 16 MiB.
	ErrTooLarge Code = "too_large"
	// ErrQueryTimeout: the query took longer than the server allows. Ask for less,
	// or create an index.
	ErrQueryTimeout Code = "query_timeout"
	// ErrBodyTooLarge: the request's body is larger than the operation allows.
	ErrBodyTooLarge Code = "body_too_large"
	// ErrUnsupportedMediaType: the request's body is of the wrong type.
	ErrUnsupportedMediaType Code = "unsupported_media_type"
	// ErrIdempotencyKeyReused: the key of [WithIdempotencyKey] was used for another
	// request before.
	ErrIdempotencyKeyReused Code = "idempotency_key_reused"
	// ErrIdempotencyInProgress: the first request with the key is still running.
	ErrIdempotencyInProgress Code = "idempotency_in_progress"
	// ErrQuotaExceeded: the organization's quota, or the server's limit of
	// organizations, has no room; nothing was done.
	ErrQuotaExceeded Code = "quota_exceeded"
	// ErrRateLimited: too many attempts; nothing was done. See
	// [Error.RetryAfter].
	ErrRateLimited Code = "rate_limited"
	// ErrUnavailable: the server's storage does not answer; nothing was done.
	ErrUnavailable Code = "unavailable"
	// ErrStorageFull: the disk of the server's storage is full; nothing was done. Writes
	// fail until the operator has made room; reads and deletions continue.
	ErrStorageFull Code = "storage_full"
	// ErrOutcomeUnknown: the call may have been carried out. Every error of a call
	// that changes something is also ErrOutcomeUnknown, unless it is certain that
	// nothing was done.
	ErrOutcomeUnknown Code = "outcome_unknown"
	// ErrInternal: a fault of the server, whose log has the details under
	// [Error.RequestID].
	ErrInternal Code = "internal"
)

// Error returns the code itself.
func (c Code) Error() string { return string(c) }

// An Error is an answer that is not a success. It has no secrets: if the answer
// repeats the request's token or password, they are cut out.
type Error struct {
	Method string
	Path   string // of the contract, without the query
	Status int    // of HTTP

	// Code is empty if the answer is not orgd's but, for instance, a proxy's page.
	Code   Code
	Detail string // for people
	Fields []FieldError

	RequestID   string // under which the server's log has the details
	OperationID string // the operation in the way, with ErrOperationInProgress
	// RetryAfter is the time that the server asks to wait; 0 if it does not ask.
	RetryAfter time.Duration
}

// A FieldError says what is wrong with one input.
type FieldError struct {
	Pointer   string // where in the body: "#/email"
	Parameter string // or which query parameter or header
	Detail    string
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "orgd: %s %s: %d", e.Method, e.Path, e.Status)
	if what := cmp.Or(string(e.Code), http.StatusText(e.Status)); what != "" {
		b.WriteString(" " + what)
	}
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	for _, f := range e.Fields {
		fmt.Fprintf(&b, " [%s]", f)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", e.RequestID)
	}
	return b.String()
}

// Unwrap returns the code, so that errors.Is finds it.
func (e *Error) Unwrap() error {
	if e.Code == "" {
		return nil
	}
	return e.Code
}

// String returns the input's place and what is wrong with it.
func (f FieldError) String() string {
	return strings.TrimSpace(f.Pointer + f.Parameter + " " + f.Detail)
}

// errorOf returns the error of an answer to a request of the contract's path.
func errorOf(req *http.Request, path string, p *problem.Problem) *Error {
	e := &Error{Path: path, Status: p.Status, Code: Code(p.Code), Detail: p.Detail,
		RequestID: p.RequestID, OperationID: p.OperationID, RetryAfter: p.RetryAfter}
	if req != nil {
		e.Method = req.Method
	}
	for _, f := range p.Fields {
		e.Fields = append(e.Fields, FieldError(f))
	}
	return e
}

// An uncertain is an error of a call that may have been carried out.
type uncertain struct{ err error }

func (e *uncertain) Error() string   { return e.err.Error() + " (it may have been done all the same)" }
func (e *uncertain) Unwrap() []error { return []error{e.err, ErrOutcomeUnknown} }

// afterAnswer returns the error of what goes wrong once an answer has come: a call that
// changes something was carried out.
func afterAnswer(req *http.Request, err error) error {
	if transport.IsSafe(req) {
		return err
	}
	return &uncertain{err}
}
