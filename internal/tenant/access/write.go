package access

import (
	"cmp"
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/drain"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
)

// Write runs a write of documents with those ids. f returns nil if the write was done,
// docdb.ErrOutcomeUnknown if that is not known, and any other error if nothing was done; then it may
// be called again.
func (d *Data) Write(ctx context.Context, ids []bson.RawValue, f func(context.Context, docdb.Collection) error) error {
	return d.enterAnd(ctx, func(e entry) (result, err error) { return d.writeInside(ctx, e, ids, f) })
}

// Alter changes the collection as a whole. A move copies the indexes once, after every write that
// began before its announcement has ended; changes that come later are refused. So a change is either
// copied or not made at all.
func (d *Data) Alter(ctx context.Context, f func(context.Context, docdb.Collection) error) error {
	return d.enterAnd(ctx, func(e entry) (result, err error) { return d.alterInside(ctx, e, f) })
}

// enterAnd enters and runs a change, and repeats both while the organization moves.
func (d *Data) enterAnd(ctx context.Context, change func(entry) (result, err error)) error {
	for {
		err := d.enterOnce(ctx, change)
		if !errors.Is(err, errMoved) {
			return fault.Of(err)
		}
	}
}

func (d *Data) enterOnce(ctx context.Context, change func(entry) (result, err error)) error {
	e, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer d.access.Cluster.EndWrite()
	result, err := change(e)
	d.access.tracker.Leave(d.orgID, e.in)
	if err != nil {
		return err
	}
	return d.confirm(ctx, e, result)
}

// writeInside is the part of a write for which moves wait. It returns the result of the write, or an
// error if nothing was done.
func (d *Data) writeInside(ctx context.Context, e entry, ids []bson.RawValue, f func(context.Context, docdb.Collection) error) (result, err error) {
	o := e.o
	if o.Move != nil {
		err := d.access.Dirty.Record(ctx, o.Move.Dirty, o.Epoch, false, ids...)
		if errors.Is(err, docdb.ErrNoCollection) {
			return nil, errMoved
		}
		if err != nil {
			return nil, fault.NotDone(err)
		}
	}
	if err := d.access.Cluster.CheckTouch(); err != nil {
		return nil, err
	}
	c, ok := d.limits.Writable(o, d.access.tenant.Collection(o.Collection))
	if !ok {
		return nil, errMoved // the organization's usage was forgotten a moment ago
	}
	result = f(ctx, tracked{c, e.in})
	if fault.Indefinite(result) {
		d.access.unanswered.add(d.orgID, o.Collection, ids)
	}
	return result, nil
}

func (d *Data) alterInside(ctx context.Context, e entry, f func(context.Context, docdb.Collection) error) (result, err error) {
	if e.o.Move != nil {
		return nil, e.o.InProgress()
	}
	if err := d.access.Cluster.CheckTouch(); err != nil {
		return nil, err
	}
	return f(ctx, d.limits.Alterable(e.o, d.access.tenant.Collection(e.o.Collection))), nil
}

// An entry is a write, or a change of the indexes, that the tracker counts.
type entry struct {
	member string // the instance that this process was then
	in     *drain.Cohort
	o      *master.Organization // as it is for every write that has entered
}

// enter counts a write and then reads the organization, unless an earlier reading will do. While
// writes are blocked the write waits uncounted, since the move waits for the writes that are counted.
func (d *Data) enter(ctx context.Context) (entry, error) {
	for began := time.Now(); ; {
		// Before the reading: an instance that joins has no earlier reading to rely on. If this process
		// joins again as another one after it, the entry names the former, for which no move waits.
		member, err := d.access.Cluster.BeginWrite(ctx)
		if err != nil {
			return entry{}, fault.NotDone(err)
		}
		in, drains := d.access.tracker.Enter(d.orgID)
		if d.admitted {
			if known := d.access.cache.of(d.orgID); known.good(drains) && d.limits.Known(known.o) {
				return entry{member, in, known.o}, nil
			}
		}
		o, err := d.Organization(ctx)
		open := err == nil && !o.WritesBlocked()
		if open && d.limits.Known(o) {
			return entry{member, in, o}, nil
		}
		d.access.tracker.Leave(d.orgID, in)
		d.access.Cluster.EndWrite()
		if open {
			err = d.limits.Learn(ctx)
		}
		switch {
		case err != nil:
			return entry{}, err
		case open:
			continue
		}
		if err := awaitUnblocked(ctx, began, true); err != nil {
			return entry{}, err
		}
	}
}

// confirm decides whether a write's result stands. A move waits for every write in progress before it
// relies on the dirty set, so the result stands, however far the move has come, unless the move took
// this instance for dead and did not wait. Then it still stands if no step of a move came between. A
// collection that is gone means that the organization has moved, or is gone itself.
func (d *Data) confirm(ctx context.Context, e entry, result error) error {
	switch {
	case errors.Is(result, errMoved):
		return result
	case errors.Is(result, docdb.ErrNoCollection):
		return d.vanished(ctx, e, result)
	case errors.Is(result, docdb.ErrOutcomeUnknown), d.Alone():
		return result
	}
	ctx = context.WithoutCancel(ctx) // a client that is gone does not change the result
	now, err := d.access.Reader.Again(ctx, e.o)
	if err == nil && now.Epoch == e.o.Epoch {
		return result
	}
	gone := errors.Is(err, docdb.ErrNotFound)
	if err == nil || gone {
		var evicted bool
		if evicted, err = d.access.Cluster.Evicted(ctx, e.member); err == nil && !evicted {
			return result
		}
	}
	switch {
	case result == nil && err == nil:
		return fault.OutcomeUnknown(errors.New("this instance was taken for dead while it wrote"))
	case result == nil:
		return fault.OutcomeUnknown(err)
	case err != nil:
		return err
	}
	return errMoved
}

// vanished returns the refusal of a request whose collection is gone: none, if the organization has
// another collection by now.
func (d *Data) vanished(ctx context.Context, e entry, result error) error {
	now, err := d.Organization(ctx)
	if err == nil && now.Generation != e.o.Generation {
		return errMoved
	}
	return cmp.Or(err, result)
}

// tracked is an organization's collection for a write that has entered. If a drain waits for the
// write, a change that has not begun fails with errMoved, and the write enters again: the drain ends
// sooner, and the write loses little.
type tracked struct {
	docdb.Collection
	in *drain.Cohort
}

func (t tracked) open() error {
	if t.in.Closed() {
		return errMoved
	}
	return nil
}

// Insert implements docdb.Collection.
func (t tracked) Insert(ctx context.Context, doc bson.Raw) error {
	if err := t.open(); err != nil {
		return err
	}
	return t.Collection.Insert(ctx, doc)
}

// InsertMany implements docdb.Collection.
func (t tracked) InsertMany(ctx context.Context, docs []bson.Raw) ([]error, error) {
	if err := t.open(); err != nil {
		return nil, err
	}
	return t.Collection.InsertMany(ctx, docs)
}

// Replace implements docdb.Collection.
func (t tracked) Replace(ctx context.Context, id bson.RawValue, when docdb.Filter, doc bson.Raw) error {
	if err := t.open(); err != nil {
		return err
	}
	return t.Collection.Replace(ctx, id, when, doc)
}

// Delete implements docdb.Collection.
func (t tracked) Delete(ctx context.Context, id bson.RawValue, when docdb.Filter) error {
	if err := t.open(); err != nil {
		return err
	}
	return t.Collection.Delete(ctx, id, when)
}
