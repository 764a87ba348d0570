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

// A Namer makes physical names.
type Namer interface {
	// Next returns a physical name for a slug that was never used and is given to no other caller.
	Next(ctx context.Context, slug string) (string, error)
	// First takes the slug's first name, and reports whether it was never used.
	First(ctx context.Context, slug string) (bool, error)
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

// Adopt creates the proposed collection, if nobody has ever had its name, and reports whether it did. If
// not, the entry is gone. It is called once: see Claim for a try after that.
func (r *Registry) Adopt(ctx context.Context, c *Collection, slug string) (bool, error) {
	var unused, foreign bool
	err := beside.All(func() (err error) {
		unused, err = r.Names.First(ctx, slug)
		return err
	}, func() error {
		err := r.Tenant.Create(ctx, c.ID)
		if foreign = errors.Is(err, docdb.ErrExists); foreign {
			return nil
		}
		return err
	})
	switch {
	case err != nil:
		return false, err
	case foreign: // made without orgd, or by a version that did not count names
		return false, r.Entries.Remove(ctx, c)
	case !unused:
		return false, r.Retire(ctx, c)
	}
	return true, nil
}

// Claim finds a name that was never used for the operation's collection, and enters it in the registry
// as building. It retires the collections that former owners claimed, which may still write to them.
// fresh says that nothing can have been claimed for the operation yet.
func (r *Registry) Claim(ctx context.Context, op *Operation, slug string, fresh bool) (*Collection, error) {
	if !fresh {
		if c, err := r.claimed(ctx, op); c != nil || err != nil {
			return c, err
		}
	}
	for range SwapAttempts {
		name, err := r.Names.Next(ctx, slug)
		if err != nil {
			return nil, err
		}
		c := &Collection{
			Meta: Meta{ID: name}, OrgID: op.OrgID, Operation: op.ID, Token: op.Lease.Token,
			Generation: op.Plan.Generation, State: Building, CreatedAt: r.Now(),
		}
		err = r.Entries.Insert(ctx, c)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, docdb.ErrDuplicate) { // else the name is of an orgd that did not count them
			return nil, err
		}
	}
	return nil, docdb.ErrUnavailable
}

// claimed returns the collection that an earlier try of the same owner claimed, whose checkpoint was
// lost; nil if there is none.
func (r *Registry) claimed(ctx context.Context, op *Operation) (*Collection, error) {
	all, err := r.Entries.Find(ctx, docdb.Eq("op_id", op.ID))
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.Token > op.Lease.Token {
			return nil, ErrLeaseLost
		}
		if c.Token == op.Lease.Token {
			return c, nil
		}
		if err := r.GiveUp(ctx, c); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// Create creates the claimed collection. If it exists, an earlier try of the same step has created it,
// since it did not exist when its name was claimed.
func (r *Registry) Create(ctx context.Context, name string) error {
	err := r.Tenant.Create(ctx, name)
	if errors.Is(err, docdb.ErrExists) {
		return nil
	}
	return err
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

// Retire drops a collection for good, the data before the entry, so that there
// is never data without an entry. An entry that is kept for a while is changed
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
