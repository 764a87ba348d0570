package tenant

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/retry"
)

// A suspension, resumption or restoration by the operator is one compare-and-swap of the
// organization's state. It is no operation: it is never left half-way, and does not wait for the
// operation in progress. It can be repeated.

// SuspendOrganization refuses the organization to its own admins from their next
// request on. Kinds: NotFound, OperationInProgress, OrganizationDeleting,
// Unavailable, OutcomeUnknown.
func (s *Store) SuspendOrganization(ctx context.Context, id string) (org.Organization, error) {
	return s.states.switchTo(ctx, id, org.StateSuspended)
}

// ResumeOrganization ends a suspension. Kinds: those of SuspendOrganization.
func (s *Store) ResumeOrganization(ctx context.Context, id string) (org.Organization, error) {
	return s.states.switchTo(ctx, id, org.StateActive)
}

// states changes the states and the quotas of organizations.
type states struct {
	organizations *master.Table[master.Organization, *master.Organization]
	logger        *slog.Logger
	now           func() time.Time
}

func (s *states) switchTo(ctx context.Context, id string, to org.State) (org.Organization, error) {
	return s.transition(ctx, id, func(o *master.Organization) (bool, error) {
		switch o.State {
		case org.StateActive, org.StateSuspended:
			was := o.State
			o.State = to
			return was != to, nil
		case org.StateProvisioning:
			return false, o.InProgress()
		}
		return false, org.Errorf(org.OrganizationDeleting, "The organization is deleted. Restore it first, while that can be done.")
	})
}

// RestoreOrganization returns a deleted organization to the state that it had before, if its time of
// grace is not over. Kinds: NotFound, OperationInProgress,
// Unavailable, OutcomeUnknown.
func (s *Store) RestoreOrganization(ctx context.Context, id string) (org.Organization, error) {
	return s.states.restore(ctx, id)
}

func (s *states) restore(ctx context.Context, id string) (org.Organization, error) {
	return s.transition(ctx, id, func(o *master.Organization) (bool, error) {
		switch {
		case o.State == org.StateProvisioning:
			return false, o.InProgress()
		case o.State != org.StateDeleting:
			return false, nil
		case o.PurgeAfter == nil, o.Due(s.now()):
			return false, org.Errorf(org.NotFound, "The organization is gone, and cannot be restored.")
		}
		o.State, o.StateBefore, o.PurgeAfter = o.StateBefore, "", nil
		return true, nil
	})
}

// transition changes the state of an organization, once. If the storage does not answer whether the
// change was made, the document's versions tell, and later changes by others stay. If the versions
// do not tell either, the outcome is unknown, and the change is not sent again.
func (s *states) transition(ctx context.Context, id string, edit func(*master.Organization) (bool, error)) (org.Organization, error) {
	var o *master.Organization
	changed := false
	err := retry.Undone(ctx, func() (err error) {
		o, err = s.organizations.Change(ctx, id, func(o *master.Organization) (bool, error) {
			write, err := edit(o)
			if write {
				o.UpdatedAt, changed = s.now(), true
			}
			return write, err
		})
		return err
	})
	if errors.Is(err, docdb.ErrNotFound) {
		return org.Organization{}, org.Errorf(org.NotFound, "There is no organization of this id.")
	}
	if err != nil {
		return org.Organization{}, fault.Of(err)
	}
	if changed {
		s.logger.InfoContext(ctx, "organization changed its state", "org_id", o.ID, "state", o.State)
	}
	return o.Public(), nil
}

// Organization returns the organization with that id, in any state. Kinds: NotFound, Unavailable.
func (s *Store) Organization(ctx context.Context, id string) (org.Organization, error) {
	return s.states.transition(ctx, id, func(*master.Organization) (bool, error) { return false, nil })
}

// Organizations returns up to limit organizations, the newest first, of one state, or of all states
// if it is empty. It pages as Operations does.
func (s *Store) Organizations(ctx context.Context, state org.State, after string, limit int) ([]org.Organization, string, error) {
	var f docdb.Filter
	if state != "" {
		f = docdb.Eq("state", string(state))
	}
	all, next, err := s.master.Organizations.Page(ctx, f, after, limit)
	if err != nil {
		return nil, "", fault.Of(err)
	}
	out := make([]org.Organization, len(all))
	for i, o := range all {
		out[i] = o.Public()
	}
	return out, next, nil
}

// SetQuota sets how much the organization may have, from its next write on. The data that it has
// already stays. Kinds: NotFound, Unavailable, OutcomeUnknown.
func (s *Store) SetQuota(ctx context.Context, id string, q org.Quota) (org.Organization, error) {
	return s.states.transition(ctx, id, func(o *master.Organization) (bool, error) {
		if o.Limits() == q {
			return false, nil
		}
		if o.Quota = nil; q != (org.Quota{}) {
			o.Quota = &master.Quota{Documents: q.MaxDocuments, Bytes: q.MaxBytes}
		}
		return true, nil
	})
}
