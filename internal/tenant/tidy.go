package tenant

import (
	"context"
	"errors"
	"slices"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// tidy is what an owner does that finds its operation taken over: the last
// effect it had, after the new owner went on, may lie about. It removes what
// belongs to its organization and to an operation that is over, and has no use.
// What an owner leaves that dies before, Reconcile removes by the same rules.
//
// Each thing is read before what would give it a use, and removed only if it is
// still as it was read; and who wants a thing that lies about changes it first
// (see reserve). So nothing in use is removed.
func (r *run) tidy(ctx context.Context) error {
	mine := docdb.Eq("org_id", r.op.OrgID)
	return errors.Join(
		forEach(ctx, r.organizations, docdb.Eq("_id", r.op.OrgID), r.tidyOrganization),
		forEach(ctx, r.reservations, mine, r.tidyReservation),
		forEach(ctx, r.collections, mine, r.tidyCollection),
		forEach(ctx, r.admins, mine, r.tidyAdmin),
		r.tidyGhost(ctx),
		r.tidyDirty(ctx),
	)
}

// forEach calls f for every document that satisfies the filter. One that has changed
// since it was read is somebody's.
func forEach[T any, P record[T]](ctx context.Context, t table[T, P], f docdb.Filter, do func(context.Context, P) error) error {
	all, err := t.find(ctx, f)
	if err != nil {
		return err
	}
	return forAll(ctx, all, do)
}

func forAll[P any](ctx context.Context, all []P, do func(context.Context, P) error) error {
	for _, v := range all {
		if err := do(ctx, v); err != nil && !errors.Is(err, docdb.ErrNoMatch) {
			return err
		}
	}
	return nil
}

// over reports whether an operation is not running any more.
func (s *Store) over(ctx context.Context, opID string) (bool, error) {
	op, err := s.operations.get(ctx, opID)
	if errors.Is(err, docdb.ErrNotFound) {
		return true, nil
	}
	return err == nil && op.Outcome != running, err
}

// found returns nil if the document does not exist.
func found[P any](v P, err error) (P, error) {
	var none P
	if errors.Is(err, docdb.ErrNotFound) {
		return none, nil
	}
	return v, err
}

// tidyOrganization parts an organization from an operation that is over.
func (s *Store) tidyOrganization(ctx context.Context, o *organization) error {
	if o.Operation == "" {
		return nil
	}
	if over, err := s.over(ctx, o.Operation); err != nil || !over {
		return err
	}
	if o.State == org.StateProvisioning {
		return s.organizations.remove(ctx, o)
	}
	if o.State == org.StateDeleting && o.PurgeAfter == nil { // by a deletion that came too late, and was refused
		o.State = org.StateActive
	}
	o.Operation = ""
	return s.organizations.swap(ctx, o)
}

func (s *Store) tidyReservation(ctx context.Context, res *reservation) error {
	if used, err := s.usesReservation(ctx, res); err != nil || used {
		return err
	}
	return s.reservations.remove(ctx, res)
}

func (s *Store) usesReservation(ctx context.Context, res *reservation) (bool, error) {
	if over, err := s.over(ctx, res.Operation); err != nil || !over {
		return true, err
	}
	o, err := found(s.organizations.get(ctx, res.OrgID))
	if err != nil || o == nil {
		return false, err
	}
	if o.Operation != "" || nameReservation(o.NameKey) == res.ID {
		return true, nil
	}
	a, err := found(s.admins.get(ctx, res.AdminID))
	return a != nil && emailReservation(a.EmailKey) == res.ID, err
}

// tidyCollection drops what no organization uses and no operation will. A live
// collection it leaves alone whoever owns it: no owner that dies leaves one behind,
// so that its organization was lost in another way, and the data may be all there is.
func (s *Store) tidyCollection(ctx context.Context, c *collection) error {
	if c.State == live {
		return nil
	}
	if over, err := s.over(ctx, c.Operation); err != nil || !over {
		return err
	}
	o, err := found(s.organizations.get(ctx, c.OrgID))
	if err != nil {
		return err
	}
	if o != nil && (o.Operation != "" || o.Collection == c.ID || c.kept(s.now())) {
		return nil
	}
	return s.retire(ctx, c)
}

func (s *Store) tidyAdmin(ctx context.Context, a *admin) error {
	if over, err := s.over(ctx, a.Operation); err != nil || !over {
		return err
	}
	o, err := found(s.organizations.get(ctx, a.OrgID))
	if err != nil {
		return err
	}
	if o == nil {
		return s.admins.remove(ctx, a)
	}
	if a.Next == nil {
		return nil
	}
	if over, err := s.over(ctx, a.Next.Operation); err != nil || !over {
		return err
	}
	a.Next = nil
	return s.admins.swap(ctx, a)
}

// tidyGhost drops the target if it was created after its entry had gone.
func (r *run) tidyGhost(ctx context.Context) error {
	name := r.op.Plan.Target
	if name == "" {
		return nil
	}
	there, err := r.tenant.List(ctx, name)
	if err != nil || !slices.Contains(there, name) {
		return err
	}
	_, err = r.dropGhost(ctx, &collection{Meta: Meta{ID: name}, OrgID: r.op.OrgID, Operation: r.op.ID})
	return err
}

// dropGhost drops a physical collection without an entry, and reports whether it
// was one. It claims the name first, so that it is nobody else's when it is dropped.
func (s *Store) dropGhost(ctx context.Context, ghost *collection) (bool, error) {
	ghost.State, ghost.CreatedAt = retired, s.now()
	err := s.collections.insert(ctx, ghost)
	if errors.Is(err, docdb.ErrDuplicate) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, s.retire(ctx, ghost)
}

// tidyDirty drops the dirty set that was created after its move was over.
func (r *run) tidyDirty(ctx context.Context) error {
	if over, err := r.over(ctx, r.op.ID); err != nil || !over {
		return err
	}
	return r.dropDirty(ctx)
}
