package tenant

import (
	"context"
	"errors"
	"strings"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// Indexes lists the indexes by name, without the one on _id.
func (d *Documents) Indexes(ctx context.Context) ([]Index, error) {
	var list []Index
	err := d.read(ctx, func(ctx context.Context, c docdb.Collection) (err error) {
		list, err = c.Indexes(ctx)
		return err
	})
	return list, err
}

// CreateIndex adds an index and indexes what is there; the same one again does
// nothing. Kinds: Invalid, DuplicateKey, IndexExists, OperationInProgress,
// TokenRevoked, Suspended, QuotaExceeded, Unavailable, OutcomeUnknown.
func (d *Documents) CreateIndex(ctx context.Context, ix Index) error {
	if err := checkIndex(ix); err != nil {
		return err
	}
	return d.alter(ctx, func(ctx context.Context, c docdb.Collection) error {
		return refusedIndex(ix, c.CreateIndex(ctx, ix))
	})
}

// DropIndex removes an index. Kinds: NotFound, OperationInProgress, TokenRevoked,
// Suspended, Unavailable, OutcomeUnknown.
func (d *Documents) DropIndex(ctx context.Context, name string) error {
	return d.alter(ctx, func(ctx context.Context, c docdb.Collection) error {
		err := c.DropIndex(ctx, name)
		if errors.Is(err, docdb.ErrNotFound) {
			return org.Errorf(org.NotFound, "There is no index of this name.")
		}
		return err
	})
}

func checkIndex(ix Index) error {
	at := "keys"
	err := docdb.ValidateIndex(ix)
	for _, key := range ix.Keys {
		if problem := hidden(key.Path); problem != "" && err == nil {
			err = errors.New(problem)
		}
	}
	if err == nil {
		return nil
	}
	return &org.Error{Kind: org.Invalid, Message: "There can be no such index.",
		Fields: []org.FieldError{{Field: at, Detail: strings.TrimPrefix(err.Error(), docdb.ErrInvalid.Error()+": ")}}}
}

func refusedIndex(ix Index, err error) error {
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

// alter changes the collection as a whole. A move brings the indexes over once,
// when everybody has left who came before it was announced; whoever comes later is
// refused. So what is altered here is brought over, or was nowhere.
func (d *Documents) alter(ctx context.Context, f func(context.Context, docdb.Collection) error) error {
	for {
		err := d.alterOnce(ctx, f)
		if !errors.Is(err, errMoved) {
			return fault(err)
		}
	}
}

func (d *Documents) alterOnce(ctx context.Context, f func(context.Context, docdb.Collection) error) error {
	e, err := d.enter(ctx)
	if err != nil {
		return err
	}
	result, err := d.alterInside(ctx, e, f)
	d.s.gate.leave(d.orgID, e.in)
	if err != nil {
		return err
	}
	return d.confirm(ctx, e, result)
}

func (d *Documents) alterInside(ctx context.Context, e entry, f func(context.Context, docdb.Collection) error) (result, err error) {
	if e.o.Move != nil {
		return nil, inProgress(e.o)
	}
	if err := d.s.mayWrite(); err != nil {
		return nil, err
	}
	return f(ctx, d.alterable(e.o)), nil
}
