package tenant

import (
	"context"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// deleteLater begins the time of grace: the organization is refused to all, and
// keeps its data, its name and its addresses until Purge comes.
func (s *Store) deleteLater(ctx context.Context, p org.Principal) (org.DeletionReceipt, error) {
	if _, _, err := s.attachable(ctx, p); err != nil {
		return org.DeletionReceipt{}, fault(err)
	}
	now := s.now()
	until := now.Add(s.cfg.DeleteGrace)
	o, err := s.transition(ctx, p.OrgID, func(o *organization) (bool, error) {
		if err := usable(o); err != nil {
			return false, err
		}
		if o.Operation != "" {
			return false, inProgress(o)
		}
		o.StateBefore, o.State, o.PurgeAfter = o.State, org.StateDeleting, &until
		o.Ended++ // who restores it brings no session back
		return true, nil
	})
	if errors.Is(err, org.NotFound) {
		err = revoked()
	}
	if err != nil {
		return org.DeletionReceipt{}, err
	}
	return org.DeletionReceipt{OrganizationID: o.ID, Name: o.Name, DeletedAt: now, PurgeAfter: until}, nil
}

// due reports whether the time of grace of a deleted organization is over.
func (o *organization) due(now time.Time) bool {
	return o.State == org.StateDeleting && o.PurgeAfter != nil && !now.Before(*o.PurgeAfter)
}

// Purge deletes for good what was deleted long enough ago. It is called every few
// seconds, by every instance; who attaches the operation first does the work.
func (s *Store) Purge(ctx context.Context) error {
	deleted, err := s.organizations.find(ctx, docdb.Eq("state", string(org.StateDeleting)))
	errs := []error{fault(err)}
	for _, o := range deleted {
		if ctx.Err() != nil {
			break
		}
		if o.Operation != "" || !o.due(s.now()) {
			continue
		}
		_, err := s.start(ctx, kindDelete, o.ID, plan{AdminID: o.AdminID, Purge: true}, "")
		if errors.Is(err, org.OperationInProgress) || errors.Is(err, org.NotFound) {
			continue // another instance was first
		}
		if err == nil {
			s.cfg.Logger.InfoContext(ctx, "organization purged", "organization", o.ID)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// attachPurge is attach for the end of the time of grace, which nobody asked for:
// there is no credential to check.
func (r *run) attachPurge(ctx context.Context) error {
	_, err := r.organizations.change(ctx, r.op.OrgID, func(o *organization) (bool, error) {
		switch {
		case o.Operation == r.op.ID:
			return false, nil
		case o.Operation != "":
			return false, inProgress(o)
		case !o.due(r.now()):
			return false, notDue()
		}
		o.Operation, o.Fence = r.op.ID, r.op.Lease.Fence
		return true, nil
	})
	if errors.Is(err, docdb.ErrNotFound) {
		return notDue()
	}
	return err
}

func notDue() *org.Error {
	return org.Errorf(org.NotFound, "There is nothing to purge: the organization was restored, or purged already.")
}
