package tenant

import (
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
// been replaced meanwhile. What it has read counts when the organization is still at
// the same generation after that: then the collection was the one in use when it was
// read. A fence does not concern it: what it sees behind one is brought over.
func (d *Documents) read(ctx context.Context, f func(context.Context, docdb.Collection) error) error {
	var o *organization
	if d.admitted {
		o = d.s.glimpse(d.orgID)
	}
	for ; ; o = nil {
		mark, calm := d.s.flips.calm()
		if o == nil {
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
	e, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer d.s.gate.leave(d.orgID, e.in)
	o := e.o
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
	return d.confirm(ctx, e, result)
}

// An entry is a write's, or that of who changes the indexes.
type entry struct {
	member string // the instance that it is of
	in     *wave
	o      *organization // as it is for whoever has entered
}

// How often a fenced organization is looked at, and for how long. The fence is
// there for milliseconds, unless the instance that moves the data has died.
const (
	fencePause = 2 * time.Millisecond
	fenceWait  = 10 * time.Second
)

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
		case time.Since(began) > fenceWait:
			return entry{}, &org.Error{Kind: org.Unavailable, RetryAfter: time.Second,
				Message: "The organization's data is being moved, and the server that does it does not answer. Try again in a moment."}
		}
		if err := pause(ctx, fencePause); err != nil {
			return entry{}, err
		}
	}
}

// confirm decides what a write's result is worth. A move waits for every write in
// progress before it relies on what was recorded, so the result stands, however
// far the move has come; unless it took this instance for dead and did not wait.
// Then it still stands if no step of a move came between.
func (d *Documents) confirm(ctx context.Context, e entry, result error) error {
	if d.s.cfg.Exclusive || d.s.cfg.skip.reread {
		return result
	}
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

// notDone says of a failed write of master data that nothing was done to the
// organization's own.
func notDone(err error) error {
	if errors.Is(err, docdb.ErrOutcomeUnknown) {
		return docdb.ErrUnavailable
	}
	return err
}
