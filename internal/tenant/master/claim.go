package master

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/beside"
)

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
	var used bool
	name := PhysicalName(slug, 1)
	there, err := r.listBeside(ctx, name, func() (err error) {
		used, err = r.Names.Used(ctx, slug)
		return err
	})
	if err != nil || used || slices.Contains(there, name) {
		return nil, err
	}
	c, err := r.enter(ctx, op, name)
	if c == nil || err != nil {
		return nil, err
	}
	switch unused, err := r.Names.First(ctx, slug); {
	case err != nil:
		return nil, err
	case !unused: // nor is anything sent that makes the collection
		return nil, r.Entries.Remove(ctx, c)
	}
	return r.make(ctx, c)
}

// foreignNames bounds how many names of a slug are skipped because others have collections of them.
const foreignNames = 1000

// claimNext claims another name of the slug than the first, and makes the collection.
func (r *Registry) claimNext(ctx context.Context, op *Operation, slug string) (*Collection, error) {
	var name string
	next := func() (err error) {
		name, err = r.Names.Next(ctx, slug)
		return err
	}
	there, err := r.listBeside(ctx, PhysicalName(slug, 1)+".", next)
	for range foreignNames {
		if err != nil {
			return nil, err
		}
		if !slices.Contains(there, name) {
			c, err := r.enter(ctx, op, name)
			if err == nil && c != nil { // else the name is of an orgd that did not count them
				c, err = r.make(ctx, c)
			}
			if c != nil || err != nil {
				return c, err
			}
		}
		err = next()
	}
	return nil, fmt.Errorf("find a name for a collection of %q: %w", slug, docdb.ErrExists)
}

// listBeside lists collections while f runs. What is there already is foreign, and better not entered: an
// owner that dies before it has found that out leaves an entry, whose collection is dropped.
func (r *Registry) listBeside(ctx context.Context, prefix string, f func() error) (there []string, err error) {
	err = beside.All(f, func() (err error) {
		there, err = r.Tenant.List(ctx, prefix)
		return err
	})
	return there, err
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
