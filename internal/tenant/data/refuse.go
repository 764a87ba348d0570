package data

import (
	"errors"
	"fmt"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// refusedWrite turns an engine's refusal of a document into an error for the client.
func refusedWrite(err error) error {
	var dup *docdb.DuplicateError
	var refused *docdb.IndexKeyError
	switch {
	case errors.As(err, &refused):
		return &org.Error{Kind: org.Invalid, Err: err, Message: "The document cannot be stored: " + inIndex(refused)}
	case errors.As(err, &dup) && dup.Index == docdb.IDIndex:
		return org.Errorf(org.DocumentExists, "There is a document with this _id.")
	case errors.As(err, &dup):
		return org.Errorf(org.DuplicateKey, "Another document has the same key in the unique index %s.", dup.Index)
	case errors.Is(err, docdb.ErrTooLarge):
		return &org.Error{Kind: org.TooLarge, Message: "The document is larger than 16 MiB.", Err: err}
	case errors.Is(err, docdb.ErrInvalid):
		return &org.Error{Kind: org.Invalid, Message: "The document cannot be stored.", Err: err}
	}
	return err
}

// inIndex says why an index cannot hold a document.
func inIndex(e *docdb.IndexKeyError) string {
	return fmt.Sprintf("the index %s cannot hold it, because of the path %s: %s.", e.Index, e.Path, e.Problem)
}

func noDocument() *org.Error { return org.Errorf(org.NotFound, "There is no such document.") }
