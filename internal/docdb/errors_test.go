package docdb_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/orgd/orgd/internal/docdb"
)

func TestNothingDone(t *testing.T) {
	for err, want := range map[error]bool{
		docdb.ErrNoMatch: true, docdb.ErrUnavailable: true, docdb.ErrClosed: true, docdb.ErrForbidden: true, docdb.ErrUnsupported: true,
		docdb.ErrExists: true, docdb.ErrNotFound: true, docdb.ErrNoCollection: true, docdb.ErrTooLarge: true, docdb.ErrInvalid: true,

		&docdb.DuplicateError{Index: "i"}:           true,
		fmt.Errorf("insert: %w", docdb.ErrNoMatch):  true,
		docdb.ErrOutcomeUnknown:                     false,
		errors.New("the storage beneath is broken"): false,

		fmt.Errorf("%w: %w", docdb.ErrOutcomeUnknown, docdb.ErrUnavailable): false,
	} {
		if docdb.NothingDone(err) != want {
			t.Errorf("%v: want %v", err, want)
		}
	}
	if docdb.NothingDone(nil) {
		t.Error("nil says that nothing was done")
	}
	if !errors.Is(docdb.ErrUnsupported, errors.ErrUnsupported) {
		t.Error("ErrUnsupported is not errors.ErrUnsupported")
	}
}
