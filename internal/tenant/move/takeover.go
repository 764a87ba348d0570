package move

import (
	"context"

	"github.com/orgd/orgd/internal/tenant/master"
)

// The steps of an update that a new owner may have to go back to, or has to know of.
const (
	ClaimStep       = "claim"
	FlipStep        = "flip"
	CredentialsStep = "credentials" // the first after the flip
)

// Acquired stops the owner that has run the operation before under another fencing token. It leaves the
// half copied target, to which that owner may still write, for a fresh one; unless the former owner can
// be trusted, because it handed the operation over, or has flipped before it was stopped.
func (m *Move) Acquired(ctx context.Context, trusted bool) error {
	m.record.forget()
	op := m.x.Op
	o, err := master.Found(m.mover.Master.Organizations.Change(ctx, op.OrgID, func(o *master.Organization) (bool, error) {
		mine := o.Operation == op.ID
		o.Token = op.Lease.Token
		if o.Move != nil { // clients do not wait for an owner that is gone
			o.Epoch++
			if o.Move.Phase = master.Copying; !trusted {
				o.Move = nil
			}
		}
		return mine, nil
	}))
	if err != nil || o == nil || o.Operation != op.ID || !op.Plan.Migrate || !m.x.Before(CredentialsStep) {
		return err
	}
	if o.Collection == op.Plan.Target {
		return m.x.Checkpoint(ctx, func(op *master.Operation) { op.Step = FlipStep })
	}
	if trusted && o.Move != nil || m.x.Before(ClaimStep) {
		return nil
	}
	return m.x.Checkpoint(ctx, func(op *master.Operation) {
		op.Step, op.Plan.Target, op.Progress = ClaimStep, "", master.Progress{}
	})
}
