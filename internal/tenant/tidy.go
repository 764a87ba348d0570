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
//
// Each thing is read before what would give it a use, and removed only if it is
// still as it was read; and who wants a thing that lies about changes it first
// (see reserve). So nothing in use is removed.
func (r *run) tidy(ctx context.Context) error {
	for _, f := range []func(*run, context.Context) error{
		(*run).tidyOrganization, (*run).tidyReservations, (*run).tidyCollections, (*run).tidyAdmins, (*run).tidyGhost, (*run).tidyDirty,
	} {
		if err := f(r, ctx); err != nil && !errors.Is(err, docdb.ErrNoMatch) {
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

// tidyOrganization parts the organization from an operation that is over.
func (r *run) tidyOrganization(ctx context.Context) error {
	o, err := found(r.organizations.get(ctx, r.op.OrgID))
	if err != nil || o == nil || o.Operation == "" {
		return err
	}
	if over, err := r.over(ctx, o.Operation); err != nil || !over {
		return err
	}
	if o.State == org.StateProvisioning {
		return r.organizations.remove(ctx, o)
	}
	o.Operation = ""
	return r.organizations.swap(ctx, o)
}

func (r *run) tidyReservations(ctx context.Context) error {
	held, err := r.reservations.find(ctx, docdb.Eq("org_id", r.op.OrgID))
	if err != nil {
		return err
	}
	for _, res := range held {
		used, err := r.usesReservation(ctx, res)
		if err != nil {
			return err
		}
		if used {
			continue
		}
		if err := r.reservations.remove(ctx, res); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) usesReservation(ctx context.Context, res *reservation) (bool, error) {
	if over, err := r.over(ctx, res.Operation); err != nil || !over {
		return true, err
	}
	o, err := found(r.organizations.get(ctx, res.OrgID))
	if err != nil || o == nil {
		return false, err
	}
	if o.Operation != "" || nameReservation(o.NameKey) == res.ID {
		return true, nil
	}
	a, err := found(r.admins.get(ctx, res.AdminID))
	return a != nil && emailReservation(a.EmailKey) == res.ID, err
}

func (r *run) tidyCollections(ctx context.Context) error {
	all, err := r.collections.find(ctx, docdb.Eq("org_id", r.op.OrgID))
	if err != nil {
		return err
	}
	for _, c := range all {
		over, err := r.over(ctx, c.Operation)
		if err != nil {
			return err
		}
		o, err := found(r.organizations.get(ctx, r.op.OrgID))
		if err != nil {
			return err
		}
		if !over || o != nil && (o.Operation != "" || o.Collection == c.ID) {
			continue
		}
		if err := r.retire(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) tidyAdmins(ctx context.Context) error {
	all, err := r.admins.find(ctx, docdb.Eq("org_id", r.op.OrgID))
	if err != nil {
		return err
	}
	for _, a := range all {
		if err := r.tidyAdmin(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) tidyAdmin(ctx context.Context, a *admin) error {
	if over, err := r.over(ctx, a.Operation); err != nil || !over {
		return err
	}
	o, err := found(r.organizations.get(ctx, a.OrgID))
	if err != nil {
		return err
	}
	if o == nil {
		return r.admins.remove(ctx, a)
	}
	if a.Next == nil {
		return nil
	}
	if over, err := r.over(ctx, a.Next.Operation); err != nil || !over {
		return err
	}
	a.Next = nil
	return r.admins.swap(ctx, a)
}

// tidyGhost drops the target if it was created after its entry had gone. It
// claims the name first, so that it is nobody else's when it is dropped.
func (r *run) tidyGhost(ctx context.Context) error {
	name := r.op.Plan.Target
	if name == "" {
		return nil
	}
	there, err := r.tenant.List(ctx, name)
	if err != nil || !slices.Contains(there, name) {
		return err
	}
	ghost := &collection{Meta: Meta{ID: name}, OrgID: r.op.OrgID, Operation: r.op.ID, State: retired, CreatedAt: r.now()}
	err = r.collections.insert(ctx, ghost)
	if errors.Is(err, docdb.ErrDuplicate) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.retire(ctx, ghost)
}

// tidyDirty drops the dirty set that was created after its move was over.
func (r *run) tidyDirty(ctx context.Context) error {
	if over, err := r.over(ctx, r.op.ID); err != nil || !over {
		return err
	}
	return r.dropDirty(ctx)
}
