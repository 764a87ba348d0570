package operation

import (
	"context"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/tenant/master"
)

// How often a long step reports its progress: in the operation's document, which extends the lease as
// well, and in the log.
const (
	markEvery = time.Second
	logEvery  = 10 * time.Second
)

// Heartbeat makes a checkpoint if the last one is a while ago.
func (x *Execution) Heartbeat(ctx context.Context) error {
	if x.Quiet {
		return nil
	}
	now := time.Now()
	if now.Sub(x.loggedAt) >= logEvery {
		if !x.loggedAt.IsZero() {
			p := x.Op.Progress
			x.runner.cfg.Logger.InfoContext(ctx, "operation under way", "operation_id", x.Op.ID, "org_id", x.Op.OrgID,
				"kind", x.Op.Kind, "step", x.Op.Step, "copied", p.Copied, "total", p.Total, "bytes", p.Bytes)
		}
		x.loggedAt = now
	}
	if now.Sub(x.markedAt) < markEvery {
		return nil
	}
	return x.Checkpoint(ctx, func(*master.Operation) {})
}

// WithHeartbeat runs a call that may take longer than a lease, and extends the lease meanwhile.
func (x *Execution) WithHeartbeat(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	tick := time.NewTicker(markEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			if err := x.Heartbeat(ctx); err != nil {
				cancel()
				return errors.Join(err, <-done)
			}
		}
	}
}
