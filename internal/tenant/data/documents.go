// Package data is the documents of organizations, their indexes and their quotas.
package data

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/document"
	"github.com/orgd/orgd/internal/tenant/master"
)

// Store is the access to the data of all organizations.
type Store struct {
	access *access.Access
	now    func() time.Time
	usages usages
}

// NewStore returns the access to the data. It does no I/O.
func NewStore(a *access.Access, now func() time.Time) *Store { return &Store{access: a, now: now} }

// Documents is one organization's data. The caller checks the names and values of documents; no name
// but _id may begin with "_".
type Documents struct {
	at access.Data
}

// Documents returns an organization's data. It does no I/O; every call checks whether the
// organization may be used.
func (s *Store) Documents(orgID string) *Documents {
	return &Documents{s.access.Data(orgID, s.limits(orgID))}
}

// Usage returns the known usage of an organization with a quota, 0 if it is not known.
func (s *Store) Usage(orgID string) (documents, bytes int64) {
	u := s.usages.of(orgID)
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.documents, u.bytes
}

// Admitted returns the data for a request that Authenticate has accepted: a call begins with the
// organization as it was read then. It reads the organization again afterwards in any case.
func (d *Documents) Admitted() *Documents { return &Documents{d.at.Admitted()} }

// As returns the data for a principal that was not authenticated yet: every call checks the principal
// together with the organization, and may carry out a read for a principal that is then refused.
func (d *Documents) As(p org.Principal) *Documents { return &Documents{d.at.As(p)} }

// Get returns a document. Kinds: NotFound, TokenRevoked, Suspended, Unavailable.
func (d *Documents) Get(ctx context.Context, id bson.RawValue) (doc document.Document, err error) {
	err = d.at.Read(ctx, func(ctx context.Context, c docdb.Collection) (err error) {
		doc, err = get(ctx, c, id)
		return err
	})
	return doc, err
}

func get(ctx context.Context, c docdb.Collection, id bson.RawValue) (document.Document, error) {
	raw, err := c.Get(ctx, id)
	if errors.Is(err, docdb.ErrNotFound) {
		return document.Document{}, noDocument()
	}
	if err != nil {
		return document.Document{}, err
	}
	return document.FromStoredInTurn(ctx, raw)
}

// pageBytes is the size at which a page ends before its limit: documents have up to 16 MiB, and a
// page is in memory.
const pageBytes = 8 << 20

// List returns the documents that a query yields: up to q.Limit, or fewer if they are large. more
// says that it has left some out for that reason.
func (d *Documents) List(ctx context.Context, q docdb.Query) (page []document.Document, more bool, err error) {
	return list(ctx, &d.at, q, document.FromStored)
}

func list[T any](ctx context.Context, at *access.Data, q docdb.Query, from func(bson.Raw) T) (page []T, more bool, err error) {
	err = at.Read(ctx, func(ctx context.Context, c docdb.Collection) error {
		page, more = nil, false
		size := 0
		for raw, err := range c.Find(ctx, q) {
			if err != nil {
				return err
			}
			if more = size >= pageBytes; more {
				return nil
			}
			page, size = append(page, from(raw)), size+len(raw)
		}
		return nil
	})
	return page, more, err
}

// Insert adds a document, which has an _id. Kinds: DocumentExists, DuplicateKey,
// Invalid, TooLarge, TokenRevoked, Suspended, Unavailable, OutcomeUnknown.
func (d *Documents) Insert(ctx context.Context, body bson.Raw) (document.Document, error) {
	return d.change(ctx, docdb.ID(body), func(old *document.Document) (bson.Raw, error) {
		if old != nil {
			return nil, refusedWrite(&docdb.DuplicateError{Index: docdb.IDIndex})
		}
		return body, nil
	}, false)
}

// Put replaces the document with the same _id, or adds the document if there is none, provided that
// the stored document, or its absence, meets the condition. created says that there was none. Kinds:
// PreconditionFailed, and Insert's but DocumentExists.
func (d *Documents) Put(ctx context.Context, cond document.Condition, body bson.Raw) (doc document.Document, created bool, err error) {
	doc, err = d.change(ctx, docdb.ID(body), func(old *document.Document) (bson.Raw, error) {
		created = old == nil
		return body, cond.Check(old)
	}, true)
	return doc, created, err
}

// Edit replaces a document that meets the condition by the result of edit, which may be called
// several times. Kinds: NotFound, PreconditionFailed, edit's own, and Insert's but DocumentExists.
func (d *Documents) Edit(ctx context.Context, id bson.RawValue, cond document.Condition, edit func(document.Document) (bson.Raw, error)) (document.Document, error) {
	return d.change(ctx, id, func(old *document.Document) (bson.Raw, error) {
		if err := cond.Check(old); err != nil {
			return nil, err
		}
		if old == nil {
			return nil, noDocument()
		}
		return edit(*old)
	}, true)
}

// Delete removes a document that meets the condition. Kinds: NotFound,
// PreconditionFailed, TokenRevoked, Suspended, Unavailable, OutcomeUnknown.
func (d *Documents) Delete(ctx context.Context, id bson.RawValue, cond document.Condition) error {
	return d.at.Write(ctx, []bson.RawValue{id}, func(ctx context.Context, c docdb.Collection) error {
		return again(func() error {
			old, err := lookUp(ctx, c, id)
			if err != nil {
				return err
			}
			if err := cond.Check(old); err != nil {
				return err
			}
			if old == nil {
				return noDocument()
			}
			return c.Delete(ctx, id, old.Unchanged())
		})
	})
}

// change replaces the document with that _id, or adds one, by the result of f, which gets nil if there
// is none. Without look, change first assumes that there is none, and reads only if the engine
// refuses the insert.
func (d *Documents) change(ctx context.Context, id bson.RawValue, f func(*document.Document) (bson.Raw, error), look bool) (document.Document, error) {
	rev := bson.NewObjectID()
	var written document.Document
	err := d.at.Write(ctx, []bson.RawValue{id}, func(ctx context.Context, c docdb.Collection) error {
		return again(func() (err error) {
			var old *document.Document
			if look {
				if old, err = lookUp(ctx, c, id); err != nil {
					return err
				}
				if old != nil && old.Revision == rev.Hex() { // an earlier try that seemed to fail has done it
					written = *old
					return nil
				}
			}
			body, err := f(old)
			if err != nil {
				return err
			}
			var raw bson.Raw
			raw, written = document.AsStored(id, body, rev)
			if old == nil {
				err = c.Insert(ctx, raw)
			} else {
				err = c.Replace(ctx, id, old.Unchanged(), raw)
			}
			return d.settle(ctx, c, id, rev, err, look)
		})
	})
	return written, err
}

// settle finds out whether a write without an answer was done: the stored revision tells.
func (d *Documents) settle(ctx context.Context, c docdb.Collection, id bson.RawValue, rev bson.ObjectID, err error, look bool) error {
	var dup *docdb.DuplicateError
	switch {
	case errors.Is(err, docdb.ErrOutcomeUnknown):
		if now, getErr := lookUp(context.WithoutCancel(ctx), c, id); getErr == nil && now != nil && now.Revision == rev.Hex() {
			return nil
		}
		return err
	case errors.As(err, &dup) && dup.Index == docdb.IDIndex && look:
		return docdb.ErrNoMatch // another writer was faster: read again
	}
	return refusedWrite(err)
}

// lookUp returns the stored document with that _id, or nil.
func lookUp(ctx context.Context, c docdb.Collection, id bson.RawValue) (*document.Document, error) {
	raw, err := c.Get(ctx, id)
	if errors.Is(err, docdb.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	doc, err := document.FromStoredInTurn(ctx, raw)
	return &doc, err
}

// again repeats a compare-and-swap as long as it fails because of another writer.
func again(f func() error) error {
	for range master.SwapAttempts {
		if err := f(); !errors.Is(err, docdb.ErrNoMatch) {
			return err
		}
	}
	return docdb.ErrUnavailable
}
