package tenant

import (
	"context"

	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
	"github.com/orgd/orgd/internal/tenant/workflow"
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
	dropped := x.Workflow().(*workflow.Delete).Dropped()
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
	workflows *workflow.Workflows
}

// requested returns the principal's organization, and the execution of a deletion that the principal asks
// for.
func (d *deletions) requested(ctx context.Context, p org.Principal) (*master.Organization, *operation.Execution, error) {
	begins, err := attachable(ctx, d.access, p)
	if err != nil {
		return nil, nil, fault.Of(err)
	}
	x, err := d.execution(p.OrgID, master.Plan{AdminID: p.AdminID, Credential: p.Credential}, begins)
	return begins.Org, x, err
}

// execution makes the execution of a new deletion, which is not stored yet.
func (d *deletions) execution(orgID string, p master.Plan, begins workflow.Account) (*operation.Execution, error) {
	return d.runner.New(master.Delete, orgID, p, d.workflows.Delete(begins))
}
