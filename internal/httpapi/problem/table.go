package problem

import (
	"net/http"

	"github.com/orgd/orgd/internal/org"
)

// The kinds of errors that only HTTP knows; the others are package org's.
const (
	// Malformed is a request that does not fit the contract.
	Malformed        org.Kind = "malformed"
	methodNotAllowed org.Kind = "method_not_allowed"
	// BodyTooLarge is a body, or a line of a stream, that is over its limit.
	BodyTooLarge org.Kind = "body_too_large"
	// UnsupportedMediaType is a body of another media type than the endpoint takes.
	UnsupportedMediaType org.Kind = "unsupported_media_type"
)

// kinds is the one table from a kind to its status, and to the text for errors that have none
// of their own.
var kinds = []struct {
	kind   org.Kind
	status int
	detail string
}{
	{Malformed, http.StatusBadRequest, "The request does not fit the contract."},
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
	{BodyTooLarge, http.StatusRequestEntityTooLarge, "The body is too large."},
	{UnsupportedMediaType, http.StatusUnsupportedMediaType, "Send Content-Type: application/json."},
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
