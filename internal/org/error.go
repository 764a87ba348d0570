package org

import (
	"fmt"
	"time"
)

// A Kind classifies what went wrong, from the caller's point of view. It is the
// `code` that clients see, and is itself an error, so that
// errors.Is(err, org.NameTaken) asks for it anywhere in a chain.
type Kind string

// Error implements error.
func (k Kind) Error() string { return string(k) }

// The kinds. Which HTTP status each has is decided in package httpapi/problem alone.
const (
	Invalid             Kind = "invalid"               // a value breaks a rule; see Error.Fields
	NotFound            Kind = "not_found"             // no such thing, or not one the caller may know of
	NameTaken           Kind = "name_taken"            // another organization has this name
	EmailTaken          Kind = "email_taken"           // another admin has this e-mail address
	OperationInProgress Kind = "operation_in_progress" // the organization is being changed
	DocumentExists      Kind = "document_exists"       // another document has this _id
	DuplicateKey        Kind = "duplicate_key"         // another document has the same key in a unique index
	PreconditionFailed  Kind = "precondition_failed"   // a thing is not what the request's condition asks for
	TooLarge            Kind = "too_large"             // a document is over the limit
	IndexExists         Kind = "index_exists"          // another index has this name or these keys
	NoIndex             Kind = "no_index"              // no index gives the order asked for
	QueryTimeout        Kind = "query_timeout"         // a query took longer than it may
	BadCredentials      Kind = "bad_credentials"       // e-mail or password is wrong
	Unauthenticated     Kind = "unauthenticated"       // no token, or one that is not valid
	TokenRevoked        Kind = "token_revoked"         // the token was good and is not any more
	Suspended           Kind = "suspended"             // the organization is suspended
	RateLimited         Kind = "rate_limited"          // too many attempts; see Error.RetryAfter
	Unavailable         Kind = "unavailable"           // the storage does not answer; nothing was done
	StorageFull         Kind = "storage_full"          // the storage's disk is full; nothing was done
	OutcomeUnknown      Kind = "outcome_unknown"       // the storage did not answer; it may have been done
	Internal            Kind = "internal"              // a fault of orgd

	IdempotencyKeyReused  Kind = "idempotency_key_reused"  // the key came with another request before
	IdempotencyInProgress Kind = "idempotency_in_progress" // the key's request is being worked on
	QuotaExceeded         Kind = "quota_exceeded"          // the organization may not have more

	OrganizationDeleting Kind = "organization_deleting" // the organization is deleted, or being deleted
)

// Error is the one error type that crosses a package border above docdb.
type Error struct {
	Kind Kind
	// Message says what to do about it, in a sentence that is safe to show to
	// a client: it holds no secret and no internals.
	Message string
	// Fields says which inputs are wrong, for Invalid.
	Fields []FieldError
	// Operation is the id of the operation in the way, for OperationInProgress.
	Operation string
	// RetryAfter is how long to wait before trying again, for RateLimited, Unavailable
	// and StorageFull; zero when that is not known.
	RetryAfter time.Duration
	// Err is the cause, for the log; it is never shown to a client.
	Err error
}

// FieldError says what is wrong with one input.
type FieldError struct {
	Field  string // its name in the contract, such as "organization_name"
	Detail string
}

// Errorf returns an Error of that kind with a formatted message.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Error implements error, for the log: it includes the cause.
func (e *Error) Error() string {
	s := string(e.Kind)
	if e.Message != "" {
		s += ": " + e.Message
	}
	for _, f := range e.Fields {
		s += "; " + f.Field + ": " + f.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap makes errors.Is find the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}
