package tenant

import (
	"context"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/beside"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
)

// Delete removes the principal's organization with its data, its admins and all
// metadata. When it returns nil the name and the e-mail addresses are free. With
// Config.DeleteGrace, all this happens when the time of grace is over.
// Kinds: TokenRevoked, OperationInProgress, Suspended, Unavailable, OutcomeUnknown.
func (s *Store) Delete(ctx context.Context, p org.Principal) (org.DeletionReceipt, error) {
	if s.grace.length > 0 {
		return s.grace.begin(ctx, p)
	}
	o, x, err := s.deletions.requested(ctx, p)
	if err == nil {
		err = s.runner.Run(ctx, x)
	}
	if err != nil {
		return org.DeletionReceipt{}, err
	}
	dropped := x.Workflow().(*deleteWorkflow).dropped
	return org.DeletionReceipt{
		OrganizationID: o.ID, Name: o.Name, Collections: dropped, DeletedAt: s.cfg.Now(),
	}, nil
}

// DeleteAsync is Delete for a caller that does not wait. The operation is nil when
// the receipt is complete: with Config.DeleteGrace there is nothing to wait for.
func (s *Store) DeleteAsync(ctx context.Context, p org.Principal) (*org.Operation, org.DeletionReceipt, error) {
	if s.grace.length > 0 {
		receipt, err := s.grace.begin(ctx, p)
		return nil, receipt, err
	}
	_, x, err := s.deletions.requested(ctx, p)
	if err != nil {
		return nil, org.DeletionReceipt{}, err
	}
	op, err := s.runner.Accept(ctx, x)
	if err != nil {
		return nil, org.DeletionReceipt{}, err
	}
	return &op, org.DeletionReceipt{}, nil
}

// deletions remove organizations, each by one operation.
type deletions struct {
	access    *access.Access
	runner    *operation.Runner
	workflows *workflows
}

// requested returns the principal's organization, and the execution of a deletion that the principal asks
// for.
func (d *deletions) requested(ctx context.Context, p org.Principal) (*master.Organization, *operation.Execution, error) {
	begins, err := attachable(ctx, d.access, p)
	if err != nil {
		return nil, nil, fault.Of(err)
	}
	x, err := d.execution(p.OrgID, master.Plan{AdminID: p.AdminID, Credential: p.Credential}, begins)
	return begins.org, x, err
}

// execution makes the execution of a new deletion, which is not stored yet.
func (d *deletions) execution(orgID string, p master.Plan, begins account) (*operation.Execution, error) {
	return d.runner.New(master.Delete, orgID, p, d.workflows.delete(begins))
}

// deleteWorkflow removes an organization with all traces of it.
type deleteWorkflow struct {
	workflow
	dropped []string // collections
}

func (s *workflows) delete(begins account) func(*operation.Execution) operation.Workflow {
	return func(x *operation.Execution) operation.Workflow {
		return &deleteWorkflow{workflow: s.workflow(x, begins)}
	}
}

// Steps implements operation.Workflow.
func (w *deleteWorkflow) Steps() []operation.Step {
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
func (w *deleteWorkflow) Undo(context.Context) error { return nil }

// Forget implements operation.Workflow.
func (w *deleteWorkflow) Forget(master.Outcome) bool { return true }

func (w *deleteWorkflow) attach(ctx context.Context) error {
	if w.x.Op.Plan.Purge {
		return w.attachPurge(ctx)
	}
	return w.workflow.attach(ctx)
}

// forget removes idempotency keys and history; the keys first: the retry of a create whose key is there,
// and its operation is not, would create the organization again.
func (w *deleteWorkflow) forget(ctx context.Context) error {
	var history []*master.Operation
	err := beside.All(
		func() error { return w.s.keys.Forget(ctx, w.x.Op.OrgID) },
		func() (err error) {
			history, err = w.s.master.Operations.Find(ctx, docdb.Eq("org_id", w.x.Op.OrgID))
			return err
		},
	)
	if err != nil {
		return err
	}
	return w.removeOperations(ctx, history)
}

func (w *deleteWorkflow) dropCollections(ctx context.Context) error {
	all, err := w.s.master.Collections.Find(ctx, docdb.Eq("org_id", w.x.Op.OrgID))
	if err != nil {
		return err
	}
	source := w.x.Op.Plan.Source
	if source == "" { // begun by an earlier version, which did not store it
		o, err := master.Found(w.s.master.Organizations.Get(ctx, w.x.Op.OrgID))
		if err != nil {
			return err
		}
		if o != nil {
			source = o.Collection
		}
	}
	for _, c := range all {
		drop := w.s.registry.GiveUp // what an operation has left behind
		if c.ID == source {
			drop = w.s.registry.Retire
		}
		if err := w.x.WithHeartbeat(ctx, func(ctx context.Context) error { return drop(ctx, c) }); err != nil {
			return err
		}
		w.dropped = append(w.dropped, c.ID)
	}
	return nil
}

func (w *deleteWorkflow) removeReservations(ctx context.Context) error {
	return master.RemoveAll(ctx, w.s.master.Reservations.Table, docdb.Eq("org_id", w.x.Op.OrgID))
}

// removeOperations removes the organization's history. An operation that has not been attached waits to
// be refused, and is removed at its end; one that has, and still runs, is about to end.
func (w *deleteWorkflow) removeOperations(ctx context.Context, history []*master.Operation) error {
	return master.ForAllBeside(ctx, history, func(ctx context.Context, op *master.Operation) error {
		if op.ID == w.x.Op.ID || op.Outcome == master.Running && op.Step == attachStep {
			return nil
		}
		return w.s.master.Operations.RemoveIf(ctx, op.ID, docdb.Eq("org_id", w.x.Op.OrgID))
	})
}
