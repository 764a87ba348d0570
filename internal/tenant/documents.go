package tenant

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// Documents is the access to one organization's data while it may be moved. Every
// write is fenced by the protocol of docs/moves.md: who is told that it was done
// can rely on it, and a read never goes back in time. The documents' names and
// values are the caller's business, but that none of them may begin with "_" save
// the _id.
type Documents struct {
	s        *Store
	orgID    string
	admitted bool
}

// Documents returns the access to an organization's data. It does no I/O; whether
// the organization may be used is looked at by every call.
func (s *Store) Documents(orgID string) *Documents { return &Documents{s: s, orgID: orgID} }

// Admitted returns the access for a request that Authenticate has let in: it begins
// with what was seen of the organization then. It looks again afterwards in any case.
func (d *Documents) Admitted() *Documents { return &Documents{d.s, d.orgID, !d.s.cfg.Exclusive} }

// Get returns a document. Kinds: NotFound, TokenRevoked, Suspended, Unavailable.
func (d *Documents) Get(ctx context.Context, id bson.RawValue) (Document, error) {
	var found Document
	err := d.read(ctx, func(ctx context.Context, c docdb.Collection) error {
		raw, err := c.Get(ctx, id)
		if errors.Is(err, docdb.ErrNotFound) {
			return noDocument()
		}
		if err != nil {
			return err
		}
		found, err = unstoredInTurn(ctx, raw)
		return err
	})
	return found, err
}

// GetDocument is Authenticate and then the Get of the principal's Documents, for less: on
// a shared engine it reads the document where it was when this process last looked, and
// then who may have it together with where it is, instead of one before and the other
// after. Kinds: those of Authenticate and of Get.
func (s *Store) GetDocument(ctx context.Context, p org.Principal, id bson.RawValue) (Document, error) {
	o := s.glimpse(p.OrgID)
	if s.cfg.Exclusive || o == nil {
		return s.getDocument(ctx, p, id)
	}
	asked := s.sharedAdmins.ask(ctx, p.AdminID)
	raw, result := s.tenant.Collection(o.Collection).Get(ctx, id)
	now, a, err := s.pairWith(ctx, p.OrgID, asked)
	if now, _, err = judge(p, now, a, err); err != nil {
		return Document{}, fault(err)
	}
	switch {
	case (now.Generation != o.Generation || now.closed()) && !s.cfg.skip.reread:
		return s.getDocument(ctx, p, id)
	case errors.Is(result, docdb.ErrNotFound):
		return Document{}, noDocument()
	case result != nil:
		return Document{}, fault(result)
	}
	return unstoredInTurn(ctx, raw)
}

// getDocument is GetDocument one after the other.
func (s *Store) getDocument(ctx context.Context, p org.Principal, id bson.RawValue) (Document, error) {
	if _, err := s.Authenticate(ctx, p); err != nil {
		return Document{}, err
	}
	return s.Documents(p.OrgID).Admitted().Get(ctx, id)
}

// pageBytes is when a page ends that has not come to its limit: documents have up
// to 16 MiB, and a page is in memory.
const pageBytes = 8 << 20

// List returns the documents that a query yields: as many as q.Limit says, or fewer
// if they are large. more says that it has left some out for that reason.
func (d *Documents) List(ctx context.Context, q docdb.Query) (page []Document, more bool, err error) {
	err = d.read(ctx, func(ctx context.Context, c docdb.Collection) error {
		page, more = nil, false
		size := 0
		for raw, err := range c.Find(ctx, q) {
			if err != nil {
				return err
			}
			if more = size >= pageBytes; more {
				return nil
			}
			page, size = append(page, unstored(raw)), size+len(raw)
		}
		return nil
	})
	return page, more, err
}

// Insert adds a document, which has an _id. Kinds: DocumentExists, DuplicateKey,
// Invalid, TooLarge, TokenRevoked, Suspended, Unavailable, OutcomeUnknown.
func (d *Documents) Insert(ctx context.Context, body bson.Raw) (Document, error) {
	return d.change(ctx, docdb.ID(body), func(old *Document) (bson.Raw, error) {
		if old != nil {
			return nil, refusedWrite(&docdb.DuplicateError{Index: docdb.IDIndex})
		}
		return body, nil
	}, false)
}

// Put puts a document in the place of the one with its _id, or where there is
// none; if what is there meets the condition. It says whether there was none. Kinds:
// PreconditionFailed, and Insert's but DocumentExists.
func (d *Documents) Put(ctx context.Context, cond Condition, body bson.Raw) (doc Document, created bool, err error) {
	doc, err = d.change(ctx, docdb.ID(body), func(old *Document) (bson.Raw, error) {
		created = old == nil
		return body, cond.check(old)
	}, true)
	return doc, created, err
}

// Edit replaces a document that meets the condition by what edit makes of it; edit
// may be called several times. Kinds: NotFound, PreconditionFailed, edit's own, and
// Insert's but DocumentExists.
func (d *Documents) Edit(ctx context.Context, id bson.RawValue, cond Condition, edit func(Document) (bson.Raw, error)) (Document, error) {
	return d.change(ctx, id, func(old *Document) (bson.Raw, error) {
		if err := cond.check(old); err != nil {
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
func (d *Documents) Delete(ctx context.Context, id bson.RawValue, cond Condition) error {
	return d.write(ctx, []bson.RawValue{id}, func(ctx context.Context, c docdb.Collection) error {
		return again(func() error {
			old, err := lookUp(ctx, c, id)
			if err != nil {
				return err
			}
			if err := cond.check(old); err != nil {
				return err
			}
			if old == nil {
				return noDocument()
			}
			return c.Delete(ctx, id, old.unchanged())
		})
	})
}

// change writes what f makes of the document with that _id, nil if there is none.
// Without look it is taken for granted that there is none, until the engine says no.
func (d *Documents) change(ctx context.Context, id bson.RawValue, f func(*Document) (bson.Raw, error), look bool) (Document, error) {
	rev := bson.NewObjectID()
	var written Document
	err := d.write(ctx, []bson.RawValue{id}, func(ctx context.Context, c docdb.Collection) error {
		return again(func() (err error) {
			var old *Document
			if look {
				if old, err = lookUp(ctx, c, id); err != nil {
					return err
				}
				if old != nil && old.Revision == rev.Hex() { // done by a try that seemed to fail
					written = *old
					return nil
				}
			}
			body, err := f(old)
			if err != nil {
				return err
			}
			var raw bson.Raw
			raw, written = asStored(id, body, rev)
			if old == nil {
				err = c.Insert(ctx, raw)
			} else {
				err = c.Replace(ctx, id, old.unchanged(), raw)
			}
			return d.settle(ctx, c, id, rev, err, look)
		})
	})
	return written, err
}

// settle finds out about a write of which no answer came: its revision tells.
func (d *Documents) settle(ctx context.Context, c docdb.Collection, id bson.RawValue, rev bson.ObjectID, err error, look bool) error {
	var dup *docdb.DuplicateError
	switch {
	case errors.Is(err, docdb.ErrOutcomeUnknown):
		if now, getErr := lookUp(context.WithoutCancel(ctx), c, id); getErr == nil && now != nil && now.Revision == rev.Hex() {
			return nil
		}
		return err
	case errors.As(err, &dup) && dup.Index == docdb.IDIndex && look:
		return docdb.ErrNoMatch // somebody was faster: look again
	}
	return refusedWrite(err)
}

// lookUp returns nil if there is no such document.
func lookUp(ctx context.Context, c docdb.Collection, id bson.RawValue) (*Document, error) {
	raw, err := c.Get(ctx, id)
	if errors.Is(err, docdb.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	doc, err := unstoredInTurn(ctx, raw)
	return &doc, err
}

// again repeats a compare-and-swap until it is not another writer that made it fail.
func again(f func() error) error {
	for range swapAttempts {
		if err := f(); !errors.Is(err, docdb.ErrNoMatch) {
			return err
		}
	}
	return docdb.ErrUnavailable
}
