package tenant

import (
	"context"
	"fmt"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
)

// recovery is what a start does about operations that a crash, or an earlier version, has left
// unfinished.
type recovery struct {
	operations *master.Table[master.Operation, *master.Operation]
	runner     *operation.Runner
	phase      func(what string)
	waits      time.Duration // Config.RecoverFor
}

// finish finishes what a crash left unfinished.
func (r *recovery) finish(ctx context.Context) error {
	n, err := r.runner.Interrupted(ctx)
	if err != nil {
		return err
	}
	r.phase(fmt.Sprintf("finishing %d interrupted operations", n))
	return r.runner.RecoverAll(ctx, r.waits)
}

// upgrade converts the master database of an earlier version: an interrupted move begins anew,
// since this version cannot read its dirty set.
func (r *recovery) upgrade(ctx context.Context) error {
	open, err := r.operations.Find(ctx, docdb.Eq("outcome", master.Running))
	if err != nil {
		return err
	}
	for _, op := range open {
		x, err := r.runner.Existing(op)
		if err != nil {
			return err
		}
		if err := x.Checkpoint(ctx, func(op *master.Operation) { op.Lease.Token++ }); err != nil {
			return err
		}
		if err := x.Workflow().Acquired(ctx, false); err != nil {
			return err
		}
	}
	return nil
}
