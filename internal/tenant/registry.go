package tenant

import (
	"context"
	"errors"

	"github.com/orgd/orgd/internal/docdb"
)

// claim finds the operation's collection a name that was never used, and enters it in
// the registry as building. What former owners claimed it retires: they may still write to it.
func (r *run) claim(ctx context.Context, slug string, generation int64) (string, error) {
	mine, err := r.collections.find(ctx, docdb.Eq("op_id", r.op.ID))
	if err != nil {
		return "", err
	}
	for _, c := range mine {
		if c.Fence > r.op.Lease.Fence {
			return "", errLeaseLost
		}
		if c.Fence == r.op.Lease.Fence { // an earlier try, whose mark was lost
			return c.ID, nil
		}
		if err := r.retire(ctx, c); err != nil {
			return "", err
		}
	}
	name, err := r.newName(ctx, slug)
	if err != nil {
		return "", err
	}
	return name, r.collections.insert(ctx, &collection{
		Meta: Meta{ID: name}, OrgID: r.op.OrgID, Operation: r.op.ID, Fence: r.op.Lease.Fence,
		Generation: generation, State: building, CreatedAt: r.now(),
	})
}

// build creates the claimed collection. That it is there already is an earlier
// try of the same step: it was not there when its name was claimed.
func (r *run) build(ctx context.Context) error {
	err := r.tenant.Create(ctx, r.op.Plan.Target)
	if errors.Is(err, docdb.ErrExists) {
		return nil
	}
	return err
}

// enliven marks the target as the organization's data. What the source's own rules
// are come last, lest they refuse what is there already.
func (r *run) enliven(ctx context.Context) error {
	if r.op.Plan.Source != "" {
		if err := r.tenant.CarryOptions(ctx, r.op.Plan.Source, r.op.Plan.Target); err != nil {
			return err
		}
	}
	_, err := r.collections.change(ctx, r.op.Plan.Target, func(c *collection) (bool, error) {
		if c.Operation != r.op.ID || c.State != building {
			return false, nil
		}
		c.State = live
		return true, nil
	})
	return unlessGone(err)
}

// unlessGone turns docdb.ErrNotFound into success: a repeated step whose
// document has gone since was done before.
func unlessGone(err error) error {
	if errors.Is(err, docdb.ErrNotFound) {
		return nil
	}
	return err
}

// retire drops a collection for good, the data before the entry, so that there
// is never data without an entry. An entry that is kept for a while is changed
// first: who finds it as it was may still bring it back into use.
func (s *Store) retire(ctx context.Context, c *collection) error {
	if c.State != retired || c.DropAfter != nil {
		c.State, c.DropAfter = retired, nil
		if err := s.collections.swap(ctx, c); err != nil {
			return err
		}
	}
	if err := s.isolate(ctx, c.ID); err != nil {
		return err
	}
	if err := s.tenant.Drop(ctx, c.ID); err != nil {
		return err
	}
	return s.collections.remove(ctx, c)
}

// discard drops what the operation had begun to build.
func (r *run) discard(ctx context.Context) error {
	mine, err := r.collections.find(ctx, docdb.Eq("op_id", r.op.ID))
	if err != nil {
		return err
	}
	for _, c := range mine {
		if err := r.retire(ctx, c); err != nil {
			return err
		}
	}
	return r.dropDirty(ctx)
}
