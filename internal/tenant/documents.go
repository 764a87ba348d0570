package tenant

import (
	"context"
	"errors"
	"time"

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

// errMoved says that a read or a write must be done again, where the organization
// is now. Nothing was done.
var errMoved = errors.New("the organization has moved")

// current reads the organization as it is now.
func (s *Store) current(ctx context.Context, orgID string) (*organization, error) {
	o, err := s.organization(ctx, orgID)
	if errors.Is(err, docdb.ErrNotFound) {
		return nil, revoked()
	}
	return o, err
}

// usableNow is current for an organization that its own admins may use.
func (d *Documents) usableNow(ctx context.Context) (*organization, error) {
	o, err := d.s.current(ctx, d.orgID)
	if err != nil {
		return nil, err
	}
	return o, usable(o)
}

// read runs a read of the organization's collection, again if the collection has
// been replaced meanwhile. What it has read counts when the organization is still at
// the same generation after that: then the collection was the one in use when it was
// read. A fence does not concern it: what it sees behind one is brought over.
func (d *Documents) read(ctx context.Context, f func(context.Context, docdb.Collection) error) error {
	for first := true; ; first = false {
		mark, calm := d.s.flips.calm()
		var o *organization
		if first && d.admitted {
			o = d.s.seen.of(d.orgID).o
		}
		if o == nil || usable(o) != nil {
			var err error
			if o, err = d.usableNow(ctx); err != nil {
				return fault(err)
			}
		}
		result := f(ctx, d.s.tenant.Collection(o.Collection))
		if d.s.cfg.skip.reread || d.s.cfg.Exclusive && calm && !d.s.flips.since(mark) {
			return fault(result)
		}
		now, err := d.s.current(ctx, d.orgID)
		if err != nil {
			return fault(err)
		}
		if now.Generation == o.Generation {
			return fault(result)
		}
	}
}

// write runs a write of documents with those ids. f returns nil when it was done,
// docdb.ErrOutcomeUnknown when that is not known, and any other error when nothing
// was; it can be run again then.
func (d *Documents) write(ctx context.Context, ids []bson.RawValue, f func(context.Context, docdb.Collection) error) error {
	for {
		err := d.writeOnce(ctx, ids, f)
		if !errors.Is(err, errMoved) {
			return fault(err)
		}
	}
}

func (d *Documents) writeOnce(ctx context.Context, ids []bson.RawValue, f func(context.Context, docdb.Collection) error) error {
	member, _ := d.s.member.is() // first: who registers again has to look again
	o, in, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer d.s.gate.leave(d.orgID, in)
	if o.Move != nil {
		err := d.s.recordDirty(ctx, o.Move.Dirty, o.Epoch, ids...)
		if errors.Is(err, docdb.ErrNoCollection) {
			return errMoved
		}
		if err != nil {
			return notDone(err)
		}
	}
	if err := d.s.mayWrite(); err != nil {
		return err
	}
	c, ok := d.limited(o)
	if !ok {
		return errMoved // its usage was forgotten a moment ago
	}
	result := f(ctx, c)
	if errors.Is(result, docdb.ErrOutcomeUnknown) {
		return result
	}
	return d.confirm(ctx, o, member, result)
}

// How often a fenced organization is looked at, and for how long. The fence is
// there for milliseconds, unless the instance that moves the data has died.
const (
	fencePause = 2 * time.Millisecond
	fenceWait  = 10 * time.Second
)

// enter counts a write in and then reads the organization, unless what was seen of it
// is good enough. A fence is waited for outside the gate: the mover waits for those inside.
func (d *Documents) enter(ctx context.Context) (*organization, *wave, error) {
	for began := time.Now(); ; {
		in, drains := d.s.gate.enter(d.orgID)
		seen := d.s.seen.of(d.orgID)
		if d.admitted && seen.good(drains) && d.counted(seen.o) {
			return seen.o, in, nil
		}
		o, err := d.usableNow(ctx)
		open := err == nil && (!o.fenced() || d.s.cfg.skip.fence)
		if open && d.counted(o) {
			return o, in, nil
		}
		d.s.gate.leave(d.orgID, in)
		if open {
			err = d.count(ctx)
		}
		switch {
		case err != nil:
			return nil, nil, err
		case open:
			continue
		case time.Since(began) > fenceWait:
			return nil, nil, &org.Error{Kind: org.Unavailable, RetryAfter: time.Second,
				Message: "The organization's data is being moved, and the server that does it does not answer. Try again in a moment."}
		}
		if err := pause(ctx, fencePause); err != nil {
			return nil, nil, err
		}
	}
}

// confirm decides what a write's result is worth. A move waits for every write in
// progress before it relies on what was recorded, so the result stands, however
// far the move has come; unless it took this instance for dead and did not wait.
// Then it still stands if no step of a move came between.
func (d *Documents) confirm(ctx context.Context, o *organization, member string, result error) error {
	if d.s.cfg.Exclusive || d.s.cfg.skip.reread {
		return result
	}
	now, err := d.s.organization(ctx, d.orgID)
	if err == nil && now.Epoch == o.Epoch {
		return result
	}
	gone := errors.Is(err, docdb.ErrNotFound)
	if err == nil || gone {
		var evicted bool
		if evicted, err = d.s.evicted(ctx, member); err == nil && !evicted {
			return result
		}
	}
	switch {
	case result == nil && err == nil:
		return outcomeUnknown(errors.New("this instance was taken for dead while it wrote"))
	case result == nil:
		return outcomeUnknown(err)
	case err != nil:
		return err
	}
	return errMoved
}

// notDone says of a failed write of master data that nothing was done to the
// organization's own.
func notDone(err error) error {
	if errors.Is(err, docdb.ErrOutcomeUnknown) {
		return docdb.ErrUnavailable
	}
	return err
}

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
		found = unstored(raw)
		return nil
	})
	return found, err
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
			if old == nil && cond.Revisions == nil {
				return noDocument()
			}
			if err := cond.check(old); err != nil {
				return err
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
			raw, err := stored(id, body, rev)
			if err != nil {
				return err
			}
			if old == nil {
				err = c.Insert(ctx, raw)
			} else {
				err = c.Replace(ctx, id, old.unchanged(), raw)
			}
			written = unstored(raw)
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
		if now, getErr := lookUp(ctx, c, id); getErr == nil && now != nil && now.Revision == rev.Hex() {
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
	doc := unstored(raw)
	return &doc, nil
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
