// Package fault turns errors of a document engine into errors for callers of the tenant store.
package fault

import (
	"context"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// roomMadeIn is how long clients are told to wait while the disk is full.
const roomMadeIn = 30 * time.Second

// Of returns an *org.Error for an engine's error; an *org.Error, and nil, stay as they are.
func Of(err error) error {
	var known *org.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, docdb.ErrOutcomeUnknown):
		return OutcomeUnknown(err)
	case errors.Is(err, docdb.ErrNoSpace):
		return &org.Error{Kind: org.StorageFull, RetryAfter: roomMadeIn, Err: err}
	case errors.Is(err, docdb.ErrUnavailable), errors.Is(err, docdb.ErrClosed),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &org.Error{Kind: org.Unavailable, Message: "The storage does not answer. Try again in a moment.", Err: err}
	}
	return &org.Error{Kind: org.Internal, Err: err}
}

// OutcomeUnknown is the error of a change that may have been made.
func OutcomeUnknown(err error) error {
	return &org.Error{
		Kind:    org.OutcomeUnknown,
		Message: "The storage stopped answering half-way. The change will be finished or undone as soon as it answers again: look before you try again.",
		Err:     err,
	}
}

// NotDone says of a failed write of master data that nothing was done to the
// organization's own.
func NotDone(err error) error {
	if errors.Is(err, docdb.ErrOutcomeUnknown) {
		return docdb.ErrUnavailable
	}
	return err
}

// Indefinite reports whether an engine's answer to a write leaves open whether the write was, or will
// be, carried out.
func Indefinite(err error) bool {
	if err == nil || errors.Is(err, docdb.ErrOutcomeUnknown) {
		return err != nil
	}
	for _, is := range []error{
		docdb.ErrDuplicate, docdb.ErrNoMatch, docdb.ErrInvalid, docdb.ErrTooLarge, docdb.ErrUnavailable,
		docdb.ErrExists, docdb.ErrNoCollection, docdb.ErrNotFound, docdb.ErrClosed,
	} {
		if errors.Is(err, is) {
			return false
		}
	}
	return true
}
