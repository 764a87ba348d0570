package transport

import (
	"net/http"

	"github.com/orgd/orgd/sdk/go/client"
	"github.com/orgd/orgd/sdk/go/internal/problem"
)

// Errors makes the errors that the caller sees of what only the SDK's own package has
// types for.
type Errors interface {
	// Problem is the error of an answer that is not a success.
	Problem(req *http.Request, path string, p *problem.Problem) error
	// Uncertain is the error of a call that may have been carried out.
	Uncertain(err error) error
}

// A failure is why an attempt at a call has no answer to return.
type failure struct {
	err     error            // what the caller is to see
	answer  *problem.Problem // nil: there was none
	noToken bool             // no request was sent, as no token could be had
}

// isDead reports whether the answer says that the token is no longer good.
func (f *failure) isDead() bool {
	return f != nil && f.answer != nil &&
		(f.answer.Code == client.ErrorCodeUnauthenticated || f.answer.Code == client.ErrorCodeTokenRevoked)
}

// A noAnswerError is a request without an answer.
type noAnswerError struct {
	method, path string
	err          error
}

func (e *noAnswerError) Error() string {
	return "orgd: " + e.method + " " + e.path + ": " + e.err.Error()
}

func (e *noAnswerError) Unwrap() error { return e.err }

// A loginError is a login that failed after the server had refused a request's token,
// which is the refusal.
type loginError struct{ err, refusal error }

func (e *loginError) Error() string { return e.err.Error() }

func (e *loginError) Unwrap() []error { return []error{e.err, e.refusal} }
