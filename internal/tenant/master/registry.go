package master

import (
	"context"
	"errors"
	"fmt"
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

// Claim finds a name that was never used for the operation's collection, enters it in the registry
// as building, and makes the collection. It retires the collections that former owners claimed, which may still write to them.
// fresh says that nothing can have been claimed for the operation yet.
func (r *Registry) Claim(ctx context.Context, op *Operation, slug string, fresh bool) (*Collection, error) {
	if !fresh {
		if c, err := r.claimed(ctx, op); c != nil || err != nil {
			return c, err
		}
	}
	if NameOf(op.Plan.Source, slug) { // so that the first is used
		return r.claimNext(ctx, op, slug)
	}
	c, err := r.claimFirst(ctx, op, slug)
	if c == nil && err == nil {
		return r.claimNext(ctx, op, slug)
	}
	return c, err
}

// claimFirst claims the slug's first name, and makes the collection. It returns nil if the name was used
// before.
func (r *Registry) claimFirst(ctx context.Context, op *Operation, slug string) (*Collection, error) {
	used, err := r.Names.Used(ctx, slug)
	if err != nil || used {
		return nil, err
	}
	c, err := r.enter(ctx, op, PhysicalName(slug, 1))
	if c == nil || err != nil {
		return nil, err
	}
	switch unused, err := r.Names.First(ctx, slug); {
	case err != nil:
		return nil, err
	case !unused:
		return nil, r.Retire(ctx, c)
	}
	return r.make(ctx, c)
}

// foreignNames bounds how many names of a slug are skipped because others have collections of them.
const foreignNames = 1000

// claimNext claims another name of the slug than the first, and makes the collection.
func (r *Registry) claimNext(ctx context.Context, op *Operation, slug string) (*Collection, error) {
	for range foreignNames {
		name, err := r.Names.Next(ctx, slug)
		if err != nil {
			return nil, err
		}
		c, err := r.enter(ctx, op, name)
		if err == nil && c != nil { // else the name is of an orgd that did not count them
			c, err = r.make(ctx, c)
		}
		if c != nil || err != nil {
			return c, err
		}
	}
	return nil, fmt.Errorf("find a name for a collection of %q: %w", slug, docdb.ErrExists)
}

// enter registers a collection that the operation builds. It returns nil if the name is registered.
func (r *Registry) enter(ctx context.Context, op *Operation, name string) (*Collection, error) {
	c := &Collection{
		Meta: Meta{ID: name}, OrgID: op.OrgID, Operation: op.ID, Token: op.Lease.Token,
		Generation: op.Plan.Generation, State: Building, CreatedAt: r.Now(),
	}
	err := r.Entries.Insert(ctx, c)
	if errors.Is(err, docdb.ErrDuplicate) {
		return nil, nil
	}
	return c, err
}

// make creates a collection that was entered just now. If there is one, or a view, it is foreign: made
// without orgd, or by a version that did not count names. Its name is left to it, and make returns nil.
func (r *Registry) make(ctx context.Context, c *Collection) (*Collection, error) {
	err := r.Tenant.Create(ctx, c.ID)
	if errors.Is(err, docdb.ErrExists) {
		return nil, r.Entries.Remove(ctx, c)
	}
	return c, err
}

// claimed returns the collection that an earlier try of the same owner claimed, whose checkpoint was
// lost; nil if there is none. Of a first name it is not known whether that try could take it.
func (r *Registry) claimed(ctx context.Context, op *Operation) (*Collection, error) {
	all, err := r.Entries.Find(ctx, docdb.Eq("op_id", op.ID))
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.Token > op.Lease.Token {
			return nil, ErrLeaseLost
		}
		if _, first := firstName(c.ID); c.Token == op.Lease.Token && !first {
			return c, r.Create(ctx, c.ID)
		}
		if err := r.GiveUp(ctx, c); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// Create creates a collection that an earlier try has claimed, unless that has made it.
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
