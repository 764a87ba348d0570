package workflow

import (
	"context"
	"errors"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/beside"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
)

// Delete removes an organization with all traces of it.
type Delete struct {
	base
	dropped []string // collections
}

// Delete returns the constructor of the workflow that removes an organization.
func (s *Workflows) Delete(begins Account) func(*operation.Execution) operation.Workflow {
	return func(x *operation.Execution) operation.Workflow {
		return &Delete{base: s.base(x, begins)}
	}
}

// Steps implements operation.Workflow.
func (w *Delete) Steps() []operation.Step {
	return []operation.Step{
		{Name: attachStep, Do: w.attach, Accepts: true},
		{Name: "drain", Do: w.move.Drain, Joins: true}, // so that no write comes after the drop
		{Name: "collections", Do: w.dropCollections, Joins: true},
		// Before the admins: a client whose token is refused as revoked finds the name free.
		{Name: "reservations", Do: w.removeReservations, Joins: true},
		{Name: "admins", Do: w.removeAdmins, Joins: true},
		{Name: "organization", Do: w.removeOrganization, Joins: true},
		// After the organization, for which nobody makes new ones then.
		{Name: "answers", Do: w.forget, Was: []string{"operations"}},
	}
}

// Undo implements operation.Workflow. Only attach refuses, and has then done nothing.
func (w *Delete) Undo(context.Context) error { return nil }

// Forget implements operation.Workflow.
func (w *Delete) Forget(master.Outcome) bool { return true }

func (w *Delete) attach(ctx context.Context) error {
	if w.x.Op.Plan.Purge {
		return w.attachPurge(ctx)
	}
	return w.base.attach(ctx)
}

// forget removes idempotency keys and history; the keys first: the retry of a create whose key is there,
// and its operation is not, would create the organization again.
func (w *Delete) forget(ctx context.Context) error {
	var history []*master.Operation
	err := beside.All(
		func() error { return w.s.Keys.Forget(ctx, w.x.Op.OrgID) },
		func() (err error) {
			history, err = w.s.Master.Operations.Find(ctx, docdb.Eq("org_id", w.x.Op.OrgID))
			return err
		},
	)
	if err != nil {
		return err
	}
	return w.removeOperations(ctx, history)
}

func (w *Delete) dropCollections(ctx context.Context) error {
	all, err := w.s.Master.Collections.Find(ctx, docdb.Eq("org_id", w.x.Op.OrgID))
	if err != nil {
		return err
	}
	source := w.x.Op.Plan.Source
	if source == "" { // begun by an earlier version, which did not store it
		o, err := master.Found(w.s.Master.Organizations.Get(ctx, w.x.Op.OrgID))
		if err != nil {
			return err
		}
		if o != nil {
			source = o.Collection
		}
	}
	for _, c := range all {
		drop := w.s.Registry.GiveUp // what an operation has left behind
		if c.ID == source {
			drop = w.s.Registry.Retire
		}
		if err := w.x.WithHeartbeat(ctx, func(ctx context.Context) error { return drop(ctx, c) }); err != nil {
			return err
		}
		w.dropped = append(w.dropped, c.ID)
	}
	return nil
}

func (w *Delete) removeReservations(ctx context.Context) error {
	return master.RemoveAll(ctx, w.s.Master.Reservations.Table, docdb.Eq("org_id", w.x.Op.OrgID))
}

// removeOperations removes the organization's history. An operation that has not been attached waits to
// be refused, and is removed at its end; one that has, and still runs, is about to end.
func (w *Delete) removeOperations(ctx context.Context, history []*master.Operation) error {
	return master.ForAllBeside(ctx, history, func(ctx context.Context, op *master.Operation) error {
		if op.ID == w.x.Op.ID || op.Outcome == master.Running && op.Step == attachStep {
			return nil
		}
		return w.s.Master.Operations.RemoveIf(ctx, op.ID, docdb.Eq("org_id", w.x.Op.OrgID))
	})
}

// attachPurge is attach for the end of the time of grace. No admin asks for it, so there is no
// credential to check.
func (w *Delete) attachPurge(ctx context.Context) error {
	o, err := w.s.Master.Organizations.Change(ctx, w.x.Op.OrgID, func(o *master.Organization) (bool, error) {
		switch {
		case o.Operation == w.x.Op.ID:
			return false, nil
		case o.Operation != "":
			return false, o.InProgress()
		case !o.Due(w.s.Now()):
			return false, notDue()
		}
		o.Operation, o.Token = w.x.Op.ID, w.x.Op.Lease.Token
		return true, nil
	})
	if errors.Is(err, docdb.ErrNotFound) {
		return notDue()
	}
	if err == nil {
		w.x.Op.Plan.Source = o.Collection
	}
	return err
}

func notDue() *org.Error {
	return org.Errorf(org.NotFound, "There is nothing to purge: the organization was restored, or purged already.")
}

// Dropped returns the names of the collections that the deletion has dropped.
func (w *Delete) Dropped() []string { return w.dropped }
