package tenant

import (
	"context"
	"errors"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/retry"
)

// What the operator does to an organization is one compare-and-swap of its state.
// It is no operation: nothing is left half-way, and it does not wait for one that
// is going on. Each can be repeated.

// SuspendOrganization refuses the organization to its own admins from their next
// request on. Kinds: NotFound, OperationInProgress, OrganizationDeleting,
// Unavailable, OutcomeUnknown.
func (s *Store) SuspendOrganization(ctx context.Context, id string) (org.Organization, error) {
	return s.switchTo(ctx, id, org.StateSuspended)
}

// ResumeOrganization takes a suspension back. Kinds as of SuspendOrganization.
func (s *Store) ResumeOrganization(ctx context.Context, id string) (org.Organization, error) {
	return s.switchTo(ctx, id, org.StateActive)
}

func (s *Store) switchTo(ctx context.Context, id string, to org.State) (org.Organization, error) {
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

// RestoreOrganization brings a deleted organization back to the state it had,
// until its time of grace is over. Kinds: NotFound, OperationInProgress,
// Unavailable, OutcomeUnknown.
func (s *Store) RestoreOrganization(ctx context.Context, id string) (org.Organization, error) {
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

// transition changes the state of an organization, once: where the storage does not say
// whether the change was made, the document's versions do, and what others have changed
// since stays. When they do not say it either the outcome is unknown, and nothing is sent again.
func (s *Store) transition(ctx context.Context, id string, edit func(*master.Organization) (bool, error)) (org.Organization, error) {
	var o *master.Organization
	changed := false
	err := retry.Undone(ctx, func() (err error) {
		o, err = s.master.Organizations.Change(ctx, id, func(o *master.Organization) (bool, error) {
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
		s.cfg.Logger.InfoContext(ctx, "organization changed its state", "org_id", o.ID, "state", o.State)
	}
	return o.Public(), nil
}

// Organization returns the organization of that id, in whatever state it is. Kinds:
// NotFound, Unavailable.
func (s *Store) Organization(ctx context.Context, id string) (org.Organization, error) {
	return s.transition(ctx, id, func(*master.Organization) (bool, error) { return false, nil })
}

// Organizations returns up to limit organizations, the newest first, of one state or,
// when that is empty, of all. Pages are as those of Operations.
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

// SetQuota sets how much the organization may have, from its next write on. What it
// has already stays. Kinds: NotFound, Unavailable, OutcomeUnknown.
func (s *Store) SetQuota(ctx context.Context, id string, q org.Quota) (org.Organization, error) {
	return s.transition(ctx, id, func(o *master.Organization) (bool, error) {
		if o.Limits() == q {
			return false, nil
		}
		if o.Quota = nil; q != (org.Quota{}) {
			o.Quota = &master.Quota{Documents: q.MaxDocuments, Bytes: q.MaxBytes}
		}
		return true, nil
	})
}
