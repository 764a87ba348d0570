package tenant

import (
	"context"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/idempotency"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/move"
	"github.com/orgd/orgd/internal/tenant/operation"
	"github.com/orgd/orgd/internal/tenant/repair"
)

// workflows makes the workflow of each operation. Its fields are what the steps work with.
type workflows struct {
	master   *master.Database
	registry *master.Registry
	mover    *move.Mover
	repairer *repair.Repairer
	keys     *idempotency.Keys
	capacity *capacity
	now      func() time.Time
}

// workflow is what all workflows have in common.
type workflow struct {
	s    *workflows
	x    *operation.Execution
	move *move.Move
}

// byKind returns the workflow of each kind of operation.
func (s *workflows) byKind() map[master.Kind]func(*operation.Execution) operation.Workflow {
	return map[master.Kind]func(*operation.Execution) operation.Workflow{
		master.Create: s.create(""),
		master.Update: s.update(""),
		master.Delete: s.delete,
	}
}

func (s *workflows) workflow(x *operation.Execution) workflow { return workflow{s, x, s.mover.New(x)} }

// Acquired implements operation.Workflow.
func (w *workflow) Acquired(ctx context.Context, trusted bool) error {
	return w.move.Acquired(ctx, trusted)
}

// Begun implements operation.Workflow.
func (w *workflow) Begun(ctx context.Context) (bool, error) {
	o, err := master.Found(w.s.master.Organizations.Get(ctx, w.x.Op.OrgID))
	return o != nil && o.Operation == w.x.Op.ID, err
}

// LeaseLost implements operation.Workflow.
func (w *workflow) LeaseLost(ctx context.Context) error { return w.s.repairer.CleanUp(ctx, w.x.Op) }

// Settled implements operation.Workflow.
func (w *workflow) Settled() bool { return !w.move.Doubtful() }

// reserve reserves the plan's new name and new e-mail address.
func (w *workflow) reserve(ctx context.Context) error {
	op, p := w.x.Op, &w.x.Op.Plan
	var want []*master.Reservation
	if key := changed(p.NameKey, p.OldNameKey); key != "" {
		want = append(want, &master.Reservation{Meta: master.Meta{ID: master.NameReservation(key)}})
	}
	if key := changed(p.EmailKey, p.OldEmailKey); key != "" {
		want = append(want, &master.Reservation{Meta: master.Meta{ID: master.EmailReservation(key)}, AdminID: p.AdminID})
	}
	if len(want) == 0 {
		return nil
	}
	for _, r := range want {
		r.OrgID, r.Operation, r.CreatedAt = op.OrgID, op.ID, w.s.now()
	}
	return w.s.master.Reservations.ReserveAll(ctx, want...)
}

// withdraw releases what the operation has reserved.
func (w *workflow) withdraw(ctx context.Context) error {
	op, held := w.x.Op, w.s.master.Reservations
	if key := op.Plan.NameKey; key != "" {
		if err := held.Release(ctx, master.NameReservation(key), op.OrgID, op.ID); err != nil {
			return err
		}
	}
	if key := op.Plan.EmailKey; key != "" {
		return held.Release(ctx, master.EmailReservation(key), op.OrgID, op.ID)
	}
	return nil
}

// attach makes this operation the only one that may change the organization, and records in the plan
// the organization's present values.
func (w *workflow) attach(ctx context.Context) error {
	p := &w.x.Op.Plan
	var a *master.Admin
	o, err := w.s.master.Organizations.Change(ctx, w.x.Op.OrgID, func(o *master.Organization) (_ bool, err error) {
		// After the organization: if that is still the same when it is swapped, no other operation has
		// changed the admin in between.
		if a, err = w.s.master.Admins.Get(ctx, p.AdminID); err != nil {
			return false, err
		}
		if o.Operation == w.x.Op.ID {
			return false, nil
		}
		if master.CredentialOf(o, a) != p.Credential {
			return false, master.Revoked()
		}
		if err := o.CheckUsable(); err != nil {
			return false, err
		}
		if o.Operation != "" {
			return false, o.InProgress()
		}
		o.Operation, o.Token = w.x.Op.ID, w.x.Op.Lease.Token
		if w.x.Op.Kind == master.Delete {
			o.State = org.StateDeleting
		}
		return true, nil
	})
	if errors.Is(err, docdb.ErrNotFound) {
		return master.Revoked()
	}
	if err != nil {
		return err
	}
	w.move.Learn(o)
	p.OldNameKey, p.OldEmailKey = o.NameKey, a.EmailKey
	p.Source, p.Generation = o.Collection, o.Generation+1
	return w.noteReservations(ctx)
}

// noteReservations records in the plan which reservations to release after the flip, since a later
// operation may reserve the same keys again.
func (w *workflow) noteReservations(ctx context.Context) error {
	p := &w.x.Op.Plan
	if changed(p.NameKey, p.OldNameKey) != "" {
		held, err := master.Found(w.s.master.Reservations.Get(ctx, master.NameReservation(p.OldNameKey)))
		if err != nil {
			return err
		}
		if held != nil {
			p.OldNameOperation = held.Operation
		}
	}
	if changed(p.EmailKey, p.OldEmailKey) != "" {
		held, err := master.Found(w.s.master.Reservations.Get(ctx, master.EmailReservation(p.OldEmailKey)))
		if err != nil {
			return err
		}
		if held != nil {
			p.OldEmailOperation = held.Operation
		}
	}
	return nil
}

func (w *workflow) removeAdmins(ctx context.Context) error {
	return master.RemoveAll(ctx, w.s.master.Admins, docdb.Eq("org_id", w.x.Op.OrgID))
}

// removeOrganization removes the organization if this operation is attached to it.
func (w *workflow) removeOrganization(ctx context.Context) error {
	err := w.s.master.Organizations.RemoveIf(ctx, w.x.Op.OrgID, docdb.Eq("operation", w.x.Op.ID))
	if errors.Is(err, docdb.ErrNoMatch) {
		return nil
	}
	w.s.capacity.left()
	return err
}
