package tenant

import (
	"cmp"
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

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
// been replaced meanwhile. What it has read, or that it could not be read, counts when the
// organization may still be used and is at the same generation after that: then the
// collection was the one in use when it was read, and its owner's. A fence does not
// concern it, unless it is closed: what it sees behind one is brought over.
func (d *Documents) read(ctx context.Context, f func(context.Context, docdb.Collection) error) error {
	var o *organization
	if d.admitted {
		o = d.s.glimpse(d.orgID)
	}
	for began := time.Now(); ; o = nil {
		mark, calm := d.s.changes.calm()
		if o == nil {
			var err error
			if o, err = d.usableNow(ctx); err != nil {
				return fault(err)
			}
		}
		result := f(ctx, d.s.tenant.Collection(o.Collection))
		if d.s.cfg.skip.reread || d.s.cfg.Exclusive && calm && !d.s.changes.since(mark) {
			return fault(result)
		}
		now, err := d.usableNow(ctx)
		if err != nil {
			return fault(err)
		}
		if now.Generation == o.Generation && !now.closed() {
			return fault(result)
		}
		if err := d.awaitFence(ctx, began, now.closed()); err != nil {
			return fault(err)
		}
	}
}

// How often a fenced organization is looked at, and for how long. The fence is
// there for milliseconds, unless the instance that moves the data has died.
const (
	fencePause = 2 * time.Millisecond
	fenceWait  = 10 * time.Second
)

// awaitFence waits a little, if there is a fence, that has been met first at that time.
func (d *Documents) awaitFence(ctx context.Context, began time.Time, standing bool) error {
	switch {
	case !standing:
		return ctx.Err()
	case time.Since(began) > fenceWait:
		return &org.Error{Kind: org.Unavailable, RetryAfter: time.Second,
			Message: "The organization's data is being moved, and the server that does it does not answer. Try again in a moment."}
	}
	return pause(ctx, fencePause)
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
	e, err := d.enter(ctx)
	if err != nil {
		return err
	}
	result, err := d.writeInside(ctx, e, ids, f)
	d.s.gate.leave(d.orgID, e.in)
	if err != nil {
		return err
	}
	return d.confirm(ctx, e, result)
}

// writeInside is what a write does while moves wait for it. It returns what became of it,
// or an error when nothing did.
func (d *Documents) writeInside(ctx context.Context, e entry, ids []bson.RawValue, f func(context.Context, docdb.Collection) error) (result, err error) {
	o := e.o
	if o.Move != nil {
		err := d.s.recordDirty(ctx, o.Move.Dirty, o.Epoch, ids...)
		if errors.Is(err, docdb.ErrNoCollection) {
			return nil, errMoved
		}
		if err != nil {
			return nil, notDone(err)
		}
	}
	if err := d.s.mayWrite(); err != nil {
		return nil, err
	}
	c, ok := d.limited(o)
	if !ok {
		return nil, errMoved // its usage was forgotten a moment ago
	}
	result = f(ctx, gated{c, d.s, e.in})
	if !d.s.cfg.Exclusive && indefinite(result) {
		d.s.unanswered.add(d.orgID, o.Collection, ids)
	}
	return result, nil
}

// An entry is a write's, or that of who changes the indexes.
type entry struct {
	member string // the instance that it is of
	in     *wave
	o      *organization // as it is for whoever has entered
}

// enter counts a write in and then reads the organization, unless what was seen of it
// is good enough. A fence is waited for outside the gate: the mover waits for those inside.
func (d *Documents) enter(ctx context.Context) (entry, error) {
	for began := time.Now(); ; {
		// First, so that whoever registers again after it has read the organization is
		// known by what it was before, which nobody waits for.
		member, _ := d.s.member.is()
		in, drains := d.s.gate.enter(d.orgID)
		if d.admitted {
			if seen := d.s.seen.of(d.orgID); seen.good(drains) && d.counted(seen.o) {
				return entry{member, in, seen.o}, nil
			}
		}
		o, err := d.usableNow(ctx)
		open := err == nil && (!o.fenced() || d.s.cfg.skip.fence)
		if open && d.counted(o) {
			return entry{member, in, o}, nil
		}
		d.s.gate.leave(d.orgID, in)
		if open {
			err = d.count(ctx)
		}
		switch {
		case err != nil:
			return entry{}, err
		case open:
			continue
		}
		if err := d.awaitFence(ctx, began, true); err != nil {
			return entry{}, err
		}
	}
}

// confirm decides what a write's result is worth. A move waits for every write in
// progress before it relies on what was recorded, so the result stands, however
// far the move has come; unless it took this instance for dead and did not wait.
// Then it still stands if no step of a move came between. A collection that is gone
// means that the organization is elsewhere, or gone itself.
func (d *Documents) confirm(ctx context.Context, e entry, result error) error {
	switch {
	case errors.Is(result, errMoved):
		return result
	case errors.Is(result, docdb.ErrNoCollection):
		return d.vanished(ctx, e, result)
	case errors.Is(result, docdb.ErrOutcomeUnknown), d.s.cfg.Exclusive, d.s.cfg.skip.reread:
		return result
	}
	ctx = context.WithoutCancel(ctx) // what was done is told as it is, whoever has gone
	now, err := d.s.organization(ctx, d.orgID)
	if err == nil && now.Epoch == e.o.Epoch {
		return result
	}
	gone := errors.Is(err, docdb.ErrNotFound)
	if err == nil || gone {
		var evicted bool
		if evicted, err = d.s.evicted(ctx, e.member); err == nil && !evicted {
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

// vanished is the refusal that a request deserves whose collection is not there: none, if
// the organization has another by now.
func (d *Documents) vanished(ctx context.Context, e entry, result error) error {
	now, err := d.usableNow(ctx)
	if err == nil && now.Generation != e.o.Generation {
		return errMoved
	}
	return cmp.Or(err, result)
}

// notDone says of a failed write of master data that nothing was done to the
// organization's own.
func notDone(err error) error {
	if errors.Is(err, docdb.ErrOutcomeUnknown) {
		return docdb.ErrUnavailable
	}
	return err
}
