package docdb

import (
	"errors"
	"fmt"
	"slices"

	"github.com/orgd/orgd/internal/docdb/wire"
)

// What an engine answers. Wrapped errors are recognised with errors.Is; every
// other error is a fault of the storage beneath and says nothing of the outcome: see
// [NothingDone].
var (
	// ErrNotFound: no such document or index.
	ErrNotFound = errors.New("docdb: not found")
	// ErrNoMatch: no document has the _id and satisfies the condition.
	ErrNoMatch = errors.New("docdb: no document matches the condition")
	// ErrDuplicate: a unique key is taken. The error is a *DuplicateError.
	ErrDuplicate = errors.New("docdb: duplicate key")
	// ErrExists: a collection or another index of that name is there.
	ErrExists = errors.New("docdb: already exists")
	// ErrNoCollection: the collection does not exist.
	ErrNoCollection = errors.New("docdb: no such collection")
	// ErrNoIndex: no index gives the order asked for.
	ErrNoIndex = errors.New("docdb: no index for this order")
	// ErrTooLarge: a document, or a bulk of them, is over the limit.
	ErrTooLarge = errors.New("docdb: too large")
	// ErrInvalid: a document, name, index or filter breaks a rule.
	ErrInvalid = wire.ErrInvalid
	// ErrUnavailable: the engine cannot be reached or does not answer in time.
	// A read may be tried again. Of a write it says that nothing was done.
	ErrUnavailable = errors.New("docdb: unavailable")
	// ErrNoSpace: the disk beneath has no room for the write, of which nothing was done. It
	// is ErrUnavailable too, and over as soon as there is room: reads go on meanwhile.
	ErrNoSpace = fmt.Errorf("%w: no space left on the storage's disk", ErrUnavailable)
	// ErrOutcomeUnknown: a write was sent and no answer came, so it may or may
	// not have been done, now or a little later.
	ErrOutcomeUnknown = errors.New("docdb: outcome unknown")
	// ErrClosed: the engine was closed.
	ErrClosed = errors.New("docdb: closed")
	// ErrForbidden: the storage does not permit it to the user that it knows this
	// program as. The text says what is missing.
	ErrForbidden = errors.New("docdb: forbidden")
	// ErrUnsupported: the storage lacks what this needs. The text says what. It is
	// errors.ErrUnsupported too.
	ErrUnsupported = fmt.Errorf("docdb: %w", errors.ErrUnsupported)
)

// NothingDone reports whether the error of a write says that it was not done and never
// will be. Any other, [ErrOutcomeUnknown] above all, says nothing of that: the write may
// have been done, or may be yet. What InsertMany answers by position always says it.
func NothingDone(err error) bool {
	if errors.Is(err, ErrOutcomeUnknown) {
		return false
	}
	definite := []error{ErrNotFound, ErrNoMatch, ErrDuplicate, ErrExists, ErrNoCollection, ErrTooLarge, ErrInvalid,
		ErrUnavailable, ErrClosed, ErrForbidden, ErrUnsupported}
	return slices.ContainsFunc(definite, func(d error) bool { return errors.Is(err, d) })
}

// DuplicateError says which unique key is taken.
type DuplicateError struct {
	// Index is the name of the index: IDIndex or an Index.Name.
	Index string
}

// Error implements error. It does not hold the key's value.
func (e *DuplicateError) Error() string { return "docdb: duplicate key in index " + e.Index }

// Is reports that a DuplicateError is ErrDuplicate.
func (e *DuplicateError) Is(target error) bool { return target == ErrDuplicate }
