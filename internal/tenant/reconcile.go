package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orgd/orgd/internal/tenant/idempotency"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/repair"
)

// Reconcile removes what instances have left behind that died, or stalled and
// then died, and what is kept for a time that is over. It is called now and then,
// by every instance. A call looks at a part of what there may be, the next one at the next.
func (s *Store) Reconcile(ctx context.Context) error { return s.reconcile(ctx, false) }

// reconcile looks at everything if thorough.
func (s *Store) reconcile(ctx context.Context, thorough bool) error {
	return errors.Join(
		s.repairer.Reconcile(ctx, thorough),
		s.keys.Expire(ctx),
		s.runner.ExpireForestalled(ctx, idempotency.AnswersKept),
	)
}

// A Doctor looks for what does not fit together in the databases of a Store. It
// needs none that is open, and is no instance among those that are: nothing that it
// does writes tenant data.
type Doctor struct {
	s *Store
	// ConfirmAfter is the pause before a second look, when other processes may be
	// changing what it looks at: only what both find is a finding. Default 2 s.
	ConfirmAfter time.Duration
	// Deep has it compare what is kept after moves with what is in use, document by
	// document: see Config.MoveGrace.
	Deep bool
}

// NewDoctor returns a Doctor. It does no I/O. With cfg.Exclusive no Store may be
// open on the databases.
func NewDoctor(ctx context.Context, cfg Config) *Doctor {
	return &Doctor{s: newStore(ctx, cfg), ConfirmAfter: 2 * time.Second}
}

// Diagnose checks everything and changes nothing.
func (d *Doctor) Diagnose(ctx context.Context) (repair.Report, error) {
	return d.s.repairer.Diagnose(ctx, repair.Look{ConfirmAfter: d.ConfirmAfter, Deep: d.Deep})
}

// Repair makes what is missing of the master database, gives organizations back what they
// should hold and nobody else does, finishes interrupted operations, and removes what
// Reconcile does. An error does not keep it from doing the rest.
func (d *Doctor) Repair(ctx context.Context) error {
	if err := errors.Join(d.s.master.Prepare(ctx, d.s.upgrade), d.s.master.MakeIndexes(ctx)); err != nil {
		return fmt.Errorf("prepare the master database: %w", err)
	}
	abandoned := func(op *master.Operation) bool { return d.s.cfg.Exclusive || d.s.now().After(op.Lease.Until) }
	_, err := d.s.runner.ResumeAll(ctx, abandoned)
	return errors.Join(err, d.s.reconcile(ctx, true), d.s.repairer.GiveBack(ctx))
}
