package data

import (
	"context"
	"errors"
	"strings"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/document"
)

// Indexes lists the indexes by name, without the one on _id.
func (d *Documents) Indexes(ctx context.Context) ([]docdb.Index, error) {
	var list []docdb.Index
	err := d.at.Read(ctx, func(ctx context.Context, c docdb.Collection) (err error) {
		list, err = c.Indexes(ctx)
		return err
	})
	return list, err
}

// CreateIndex adds an index and indexes the documents; to create the same index again does nothing.
// Kinds: Invalid, DuplicateKey, IndexExists, OperationInProgress, TokenRevoked, Suspended,
// QuotaExceeded, Unavailable, OutcomeUnknown.
func (d *Documents) CreateIndex(ctx context.Context, ix docdb.Index) error {
	if err := checkIndex(ix); err != nil {
		return err
	}
	return d.at.Alter(ctx, func(ctx context.Context, c docdb.Collection) error {
		return refusedIndex(ix, c.CreateIndex(ctx, ix))
	})
}

// DropIndex removes an index. Kinds: NotFound, OperationInProgress, TokenRevoked,
// Suspended, Unavailable, OutcomeUnknown.
func (d *Documents) DropIndex(ctx context.Context, name string) error {
	return d.at.Alter(ctx, func(ctx context.Context, c docdb.Collection) error {
		err := c.DropIndex(ctx, name)
		if errors.Is(err, docdb.ErrNotFound) {
			return org.Errorf(org.NotFound, "There is no index of this name.")
		}
		return err
	})
}

func checkIndex(ix docdb.Index) error {
	at := "keys"
	err := docdb.ValidateIndex(ix)
	for _, key := range ix.Keys {
		if problem := document.Hidden(key.Path); problem != "" && err == nil {
			err = errors.New(problem)
		}
	}
	if err == nil {
		return nil
	}
	return &org.Error{Kind: org.Invalid, Message: "There can be no such index.",
		Fields: []org.FieldError{{Field: at, Detail: strings.TrimPrefix(err.Error(), docdb.ErrInvalid.Error()+": ")}}}
}

func refusedIndex(ix docdb.Index, err error) error {
	var dup *docdb.DuplicateError
	var refused *docdb.IndexKeyError
	switch {
	case errors.As(err, &refused):
		return &org.Error{Kind: org.Invalid, Err: err, Message: "A document is in the way, and nothing was changed: " + inIndex(refused)}
	case errors.As(err, &dup):
		return org.Errorf(org.DuplicateKey, "Documents that are there have the same key: the index %s cannot be unique. Nothing was changed.", ix.Name)
	case errors.Is(err, docdb.ErrExists):
		return org.Errorf(org.IndexExists, "There is another index of this name, or one with these keys.")
	case errors.Is(err, docdb.ErrInvalid):
		return &org.Error{Kind: org.Invalid, Err: err, Message: "The index cannot be built: a document has arrays at two of its keys, " +
			"or there are as many indexes as there may be. Nothing was changed."}
	}
	return err
}
