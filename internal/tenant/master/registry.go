package master

import (
	"context"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/beside"
)

// Registry creates and drops physical collections. Each is claimed in `collections` before it is
// created, and dropped before its entry is removed.
type Registry struct {
	Entries Table[Collection, *Collection]
	// Tenant is the database with the physical collections.
	Tenant docdb.Database
	// Names makes physical names.
	Names Namer
	// Isolate puts the name of a collection that is dropped in quarantine.
	Isolate func(ctx context.Context, name string) error
	Now     func() time.Time
}

// A Namer makes physical names. It gives a name once, to one caller.
type Namer interface {
	// First takes the slug's first name, and reports whether it was never used. The name is entered
	// in the registry before: who gives the entry up takes the name too, so that nobody gets it while
	// the drop of its collection is under way.
	First(ctx context.Context, slug string) (bool, error)
	// Used reports whether the slug's first name was used.
	Used(ctx context.Context, slug string) (bool, error)
	// Next returns another physical name of the slug, which was never used.
	Next(ctx context.Context, slug string) (string, error)
}

// Propose enters the first name of a slug, for a collection that is built at the same time as Adopt
// finds out whether the name may be used. It returns nil if the name is taken.
//
// The entry is live from the beginning, which spares a change of it later, and has no fencing token:
// by this it is known that the collection, if it has documents although it is no organization's, is not
// orgd's to drop.
func (r *Registry) Propose(ctx context.Context, op *Operation, slug string) (*Collection, error) {
	c := &Collection{
		Meta: Meta{ID: PhysicalName(slug, 1)}, OrgID: op.OrgID, Operation: op.ID,
		Generation: op.Plan.Generation, State: Live, CreatedAt: r.Now(),
	}
	err := r.Entries.Insert(ctx, c)
	if errors.Is(err, docdb.ErrDuplicate) {
		return nil, nil
	}
	return c, err
}

// Withdraw removes the entry of a collection that was only proposed: nobody has sent a message to create
// it. An entry that is not as it was proposed is another's.
func (r *Registry) Withdraw(ctx context.Context, c *Collection) error {
	err := r.Entries.Remove(ctx, c)
	if errors.Is(err, docdb.ErrNoMatch) {
		return nil
	}
	return err
}

// Adopt creates the proposed collection, if nobody has ever had its name, and reports whether it is
// adopted. If not, the entry is gone. made says that there was no collection before, also if there is
// an error. It is called once: see Claim for a try after that.
func (r *Registry) Adopt(ctx context.Context, c *Collection, slug string) (made, adopted bool, err error) {
	var unused, foreign bool
	err = beside.All(func() (err error) {
		unused, err = r.Names.First(ctx, slug)
		return err
	}, func() error {
		err := r.Tenant.Create(ctx, c.ID)
		made, foreign = err == nil, errors.Is(err, docdb.ErrExists)
		if foreign {
			return nil
		}
		return err
	})
	switch {
	case err != nil:
		return made, false, err
	case foreign: // made without orgd, or by a version that did not count names
		return false, false, r.Entries.Remove(ctx, c)
	case !unused:
		return true, false, r.Retire(ctx, c)
	}
	return true, true, nil
}

// MarkLive marks the operation's target as the organization's data. It carries the source's validator
// last, which might refuse documents that the source has already. entry is the target's, as its owner
// wrote it, or nil.
func (r *Registry) MarkLive(ctx context.Context, op *Operation, entry *Collection) error {
	if op.Plan.Source != "" {
		if err := r.Tenant.CarryOptions(ctx, op.Plan.Source, op.Plan.Target); err != nil {
			return err
		}
	}
	_, err := r.Entries.ChangeKnown(ctx, op.Plan.Target, entry, func(c *Collection) (bool, error) {
		if c.Operation != op.ID || c.State != Building {
			return false, nil
		}
		c.State = Live
		return true, nil
	})
	return UnlessGone(err)
}

// UnlessGone turns docdb.ErrNotFound into success: if the document of a repeated step is gone, the step
// was done before.
func UnlessGone(err error) error {
	if errors.Is(err, docdb.ErrNotFound) {
		return nil
	}
	return err
}

// Retire drops a collection for good whose name the Namer has given, the data before the entry, so that
// there is never data without an entry. An entry that is kept for a while is changed
// first: an operation that finds it as it was may still bring it back into use.
func (r *Registry) Retire(ctx context.Context, c *Collection) error {
	if c.State != Retired || c.DropAfter != nil {
		c.State, c.DropAfter = Retired, nil
		if err := r.Entries.Swap(ctx, c); err != nil {
			return err
		}
	}
	if err := r.Isolate(ctx, c.ID); err != nil {
		return err
	}
	if err := r.Tenant.Drop(ctx, c.ID); err != nil {
		return err
	}
	return r.Entries.Remove(ctx, c)
}

// Discard drops the collection that the operation has begun to build.
func (r *Registry) Discard(ctx context.Context, opID string) error {
	claimed, err := r.Entries.Find(ctx, docdb.Eq("op_id", opID))
	if err != nil {
		return err
	}
	for _, c := range claimed {
		if err := r.GiveUp(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// GiveUp retires a collection that no organization has. One that was only proposed is not dropped if it
// has documents: nobody who uses orgd has written them.
func (r *Registry) GiveUp(ctx context.Context, c *Collection) error {
	if c.Token == 0 && c.State == Live {
		switch empty, err := r.empty(ctx, c.ID); {
		case err != nil:
			return err
		case !empty:
			return r.Entries.Remove(ctx, c)
		}
	}
	if slug, first := firstName(c.ID); first { // whoever entered it may not have come to take it
		if _, err := r.Names.First(ctx, slug); err != nil {
			return err
		}
	}
	return r.Retire(ctx, c)
}

func (r *Registry) empty(ctx context.Context, name string) (bool, error) {
	for _, err := range r.Tenant.Collection(name).Find(ctx, docdb.Query{Limit: 1}) {
		if errors.Is(err, docdb.ErrNoCollection) {
			return true, nil
		}
		return false, err
	}
	return true, nil
}

// DropOrphan drops a physical collection without an entry, and reports whether it had none. It claims
// the name first, so that no operation has it when it is dropped.
func (r *Registry) DropOrphan(ctx context.Context, orphan *Collection) (bool, error) {
	orphan.State, orphan.CreatedAt = Retired, r.Now()
	err := r.Entries.Insert(ctx, orphan)
	if errors.Is(err, docdb.ErrDuplicate) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, r.Retire(ctx, orphan)
}
