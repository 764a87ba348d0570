package tenant

import (
	"context"
	"errors"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// Delete removes the principal's organization with its data, its admins and all
// metadata. When it returns nil the name and the e-mail addresses are free; or, with
// Config.DeleteGrace, all this happens when that is over.
// Kinds: TokenRevoked, OperationInProgress, Suspended, Unavailable, OutcomeUnknown.
func (s *Store) Delete(ctx context.Context, p org.Principal) (org.DeletionReceipt, error) {
	if s.cfg.DeleteGrace > 0 {
		return s.deleteLater(ctx, p)
	}
	o, _, err := s.attachable(ctx, p)
	if err != nil {
		return org.DeletionReceipt{}, fault(err)
	}
	r, err := s.start(ctx, kindDelete, p.OrgID, plan{AdminID: p.AdminID, Credential: p.Credential}, "")
	if err != nil {
		return org.DeletionReceipt{}, err
	}
	return org.DeletionReceipt{
		OrganizationID: o.ID, Name: o.Name, Collections: r.dropped, DeletedAt: s.now(),
	}, nil
}

func deleteKind() kind {
	return kind{
		steps: []step{
			{name: "attach", do: (*run).attach, accepts: true},
			{name: "drain", do: (*run).drain}, // so that no write comes after the drop
			{name: "collections", do: (*run).dropCollections},
			// Before the admins: who is told that the token is good no more finds the name free.
			{name: "reservations", do: (*run).removeReservations},
			{name: "admins", do: (*run).removeAdmins},
			{name: "organization", do: (*run).removeOrganization},
			{name: "answers", do: (*run).removeAnswers},
			{name: "operations", do: (*run).removeOperations},
		},
		undo:   func(*run, context.Context) error { return nil }, // only attach refuses, and has then done nothing
		forget: func(*operation, outcome) bool { return true },
	}
}

func (r *run) dropCollections(ctx context.Context) error {
	all, err := r.collections.find(ctx, docdb.Eq("org_id", r.op.OrgID))
	if err != nil {
		return err
	}
	for _, c := range all {
		if err := r.patiently(ctx, func(ctx context.Context) error { return r.retire(ctx, c) }); err != nil {
			return err
		}
		r.dropped = append(r.dropped, c.ID)
	}
	return nil
}

func (r *run) removeAdmins(ctx context.Context) error {
	return removeAll(ctx, r.admins, docdb.Eq("org_id", r.op.OrgID))
}

func (r *run) removeReservations(ctx context.Context) error {
	return removeAll(ctx, r.reservations, docdb.Eq("org_id", r.op.OrgID))
}

// removeOperations forgets the organization's history. One that still runs is
// this one, or one that waits to be refused, and goes by itself.
func (r *run) removeOperations(ctx context.Context) error {
	for _, out := range []outcome{succeeded, failed} {
		if err := removeAll(ctx, r.operations, docdb.And(docdb.Eq("org_id", r.op.OrgID), docdb.Eq("outcome", out))); err != nil {
			return err
		}
	}
	return nil
}

// removeAll deletes all documents that satisfy the filter.
func removeAll[T any, P record[T]](ctx context.Context, t table[T, P], f docdb.Filter) error {
	all, err := t.find(ctx, f)
	if err != nil {
		return err
	}
	for _, v := range all {
		err := t.c.Delete(ctx, docdb.StringID(v.meta().ID), f)
		if err != nil && !errors.Is(err, docdb.ErrNoMatch) {
			return err
		}
	}
	return nil
}

// removeOrganization removes it if it is this operation's to remove.
func (r *run) removeOrganization(ctx context.Context) error {
	defer r.changes.begin()()
	err := r.organizations.c.Delete(ctx, docdb.StringID(r.op.OrgID), docdb.Eq("operation", r.op.ID))
	if errors.Is(err, docdb.ErrNoMatch) {
		return nil
	}
	r.capacity.left()
	return err
}
