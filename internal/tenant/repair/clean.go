package repair

import (
	"context"
	"errors"
	"slices"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/master"
)

// CleanUp is for an owner that finds its operation taken over: its last effect, after the new owner went
// on, may be left over. CleanUp removes records that belong to its organization and to an operation
// that is over, and have no use. Reconcile does the same for owners that die before they can.
//
// A record is read before the records that would give it a use, and removed only if it has not changed
// since; and an operation that takes a left-over record into use changes it first (see
// master.Reservations.ReserveAll). So no record in use is removed.
func (s *Repairer) CleanUp(ctx context.Context, op *master.Operation) error {
	mine := docdb.Eq("org_id", op.OrgID)
	return errors.Join(
		master.ForEach(ctx, s.Master.Organizations, docdb.Eq("_id", op.OrgID), s.cleanOrganization),
		master.ForEach(ctx, s.Master.Reservations.Table, mine, s.cleanReservation),
		master.ForEach(ctx, s.Master.Collections, mine, s.cleanCollection),
		master.ForEach(ctx, s.Master.Admins, mine, s.cleanAdmin),
		s.cleanTarget(ctx, op),
		s.cleanDirty(ctx, op),
	)
}

// cleanOrganization detaches an organization from an operation that is over.
func (s *Repairer) cleanOrganization(ctx context.Context, o *master.Organization) error {
	if o.Operation == "" {
		return nil
	}
	over, err := s.Master.Over(ctx, o.Operation)
	if err != nil || !dangling(o, over) {
		return err
	}
	if o.State == org.StateProvisioning {
		return s.Master.Organizations.Remove(ctx, o)
	}
	if o.State == org.StateDeleting && o.PurgeAfter == nil { // by a deletion that came too late, and was refused
		o.State = org.StateActive
	}
	o.Operation = ""
	return s.Master.Organizations.Swap(ctx, o)
}

// ownerOf reports whether the operation that a record names is over, and if so returns the record's
// organization, nil if there is none. It reads them in this order, since a running operation may be
// about to create the organization.
func (s *Repairer) ownerOf(ctx context.Context, opID, orgID string) (over bool, o *master.Organization, err error) {
	if over, err = s.Master.Over(ctx, opID); err != nil || !over {
		return over, nil, err
	}
	o, err = master.Found(s.Master.Organizations.Get(ctx, orgID))
	return over, o, err
}

func (s *Repairer) cleanReservation(ctx context.Context, res *master.Reservation) error {
	over, o, err := s.ownerOf(ctx, res.Operation, res.OrgID)
	if err != nil || !over {
		return err
	}
	var a *master.Admin
	if o != nil && res.AdminID != "" {
		if a, err = master.Found(s.Master.Admins.Get(ctx, res.AdminID)); err != nil {
			return err
		}
	}
	if reservationUsed(res, over, o, a) {
		return nil
	}
	return s.Master.Reservations.Remove(ctx, res)
}

func (s *Repairer) cleanCollection(ctx context.Context, c *master.Collection) error {
	over, o, err := s.ownerOf(ctx, c.Operation, c.OrgID)
	if err != nil {
		return err
	}
	switch judgeEntry(c, over, o, s.Now()) {
	case useless:
		return s.Registry.GiveUp(ctx, c)
	case proposed:
		return s.cleanProposed(ctx, c, o)
	}
	return nil
}

// cleanProposed gives up a collection that its create has not adopted, or that the organization o has
// left. If the create has adopted it and there is no organization, that was lost in another way.
func (s *Repairer) cleanProposed(ctx context.Context, c *master.Collection, o *master.Organization) error {
	op, err := master.Found(s.Master.Operations.Get(ctx, c.Operation))
	if err != nil || o == nil && op != nil && op.Plan.Target == c.ID {
		return err
	}
	return s.Registry.GiveUp(ctx, c)
}

func (s *Repairer) cleanAdmin(ctx context.Context, a *master.Admin) error {
	over, o, err := s.ownerOf(ctx, a.Operation, a.OrgID)
	if err != nil || !over {
		return err
	}
	if adminStray(over, o) {
		return s.Master.Admins.Remove(ctx, a)
	}
	if a.Next == nil {
		return nil
	}
	if over, err := s.Master.Over(ctx, a.Next.Operation); err != nil || !over {
		return err
	}
	a.Next = nil
	return s.Master.Admins.Swap(ctx, a)
}

// cleanTarget drops the target if it was created after it had been dropped. One that was not is
// another's.
func (s *Repairer) cleanTarget(ctx context.Context, op *master.Operation) error {
	name := op.Plan.Target
	if name == "" {
		return nil
	}
	there, err := s.Tenant.List(ctx, name)
	if err != nil || !slices.Contains(there, name) {
		return err
	}
	if left, err := s.Quarantine.LeftBehind(ctx, name); err != nil || !left {
		return err
	}
	_, err = s.Registry.DropOrphan(ctx, &master.Collection{Meta: master.Meta{ID: name}, OrgID: op.OrgID, Operation: op.ID})
	return err
}

// cleanDirty drops the dirty set that was created after its move was over.
func (s *Repairer) cleanDirty(ctx context.Context, op *master.Operation) error {
	if over, err := s.Master.Over(ctx, op.ID); err != nil || !over {
		return err
	}
	return s.Dirty.Drop(ctx, op.ID)
}
