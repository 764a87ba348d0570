package tenant

import (
	"context"

	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/move"
	"github.com/orgd/orgd/internal/tenant/operation"
)

// workflows are what the kinds of operations go through.
func (s *Store) workflows() map[master.Kind]func(*operation.Execution) operation.Workflow {
	return map[master.Kind]func(*operation.Execution) operation.Workflow{
		master.Create: s.createWorkflow(""),
		master.Update: s.updateWorkflow(""),
		master.Delete: func(x *operation.Execution) operation.Workflow { return &deleteWorkflow{workflow: s.workflow(x)} },
	}
}

// workflow is what all workflows have.
type workflow struct {
	s    *Store
	x    *operation.Execution
	move *move.Move
}

func (s *Store) workflow(x *operation.Execution) workflow { return workflow{s, x, s.mover.New(x)} }

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

// reserve takes the name and the e-mail address that the plan brings new.
func (w *workflow) reserve(ctx context.Context) error {
	p := w.x.Op.Plan
	if key := changed(p.NameKey, p.OldNameKey); key != "" {
		if err := w.reserveOne(ctx, master.Reservation{Meta: master.Meta{ID: master.NameReservation(key)}}, master.NameTaken); err != nil {
			return err
		}
	}
	if key := changed(p.EmailKey, p.OldEmailKey); key != "" {
		return w.reserveOne(ctx, master.Reservation{Meta: master.Meta{ID: master.EmailReservation(key)}, AdminID: p.AdminID}, master.EmailTaken)
	}
	return nil
}

func (w *workflow) reserveOne(ctx context.Context, want master.Reservation, taken func() *org.Error) error {
	want.OrgID, want.Operation, want.CreatedAt = w.x.Op.OrgID, w.x.Op.ID, w.s.now()
	return w.s.master.Reservations.Reserve(ctx, want, taken())
}

// withdraw gives up what the operation reserved.
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
