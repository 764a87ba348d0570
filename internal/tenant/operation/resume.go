package operation

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/master"
)

// Recover begins to resume every operation whose lease has expired, and the interrupted operations of
// this process. It does not wait for them: Close does. Every instance calls it now and then; the
// compare-and-swap on the operation decides which instance goes on.
func (r *Runner) Recover(ctx context.Context) error {
	_, err := r.resume(ctx, r.abandoned)
	return err
}

// Resume is Recover, but waits. It returns how many operations have ended.
func (r *Runner) Resume(ctx context.Context) (int, error) { return r.ResumeAll(ctx, r.abandoned) }

// ResumeAll resumes the operations for which may returns true, waits for them, and returns how many
// have ended.
func (r *Runner) ResumeAll(ctx context.Context, may func(*master.Operation) bool) (int, error) {
	resumed, err := r.resume(ctx, may)
	if err != nil {
		return 0, err
	}
	ended, err := resumed.wait()
	return ended, errors.Join(err, ctx.Err())
}

// abandoned reports whether no instance works on an operation any more.
func (r *Runner) abandoned(op *master.Operation) bool {
	return op.Lease.Owner == r.cfg.Instance || r.cfg.Now().After(op.Lease.Until)
}

// RecoverAll resumes every operation, for a process that is alone. It waits for that time; operations
// that take longer, such as a large move, go on in the background.
func (r *Runner) RecoverAll(ctx context.Context, waits time.Duration) error {
	resumed, err := r.resume(ctx, func(*master.Operation) bool { return true })
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		_, err := resumed.wait()
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-time.After(waits):
		r.cfg.Logger.InfoContext(ctx, "interrupted operations go on in the background")
		return nil
	}
}

// Interrupted returns how many operations are unfinished.
func (r *Runner) Interrupted(ctx context.Context) (int64, error) {
	return r.cfg.Operations.Collection.Count(ctx, docdb.Eq("outcome", master.Running))
}

// resumed are operations that were resumed together.
type resumed struct {
	all  sync.WaitGroup
	mu   sync.Mutex
	errs []error
	done int
}

// wait waits for the operations, and returns how many have ended.
func (t *resumed) wait() (int, error) {
	t.all.Wait()
	return t.done, errors.Join(t.errs...)
}

// resume resumes the operations for which may returns true, at the same time. They are in
// Runner.active, for which Close waits.
func (r *Runner) resume(ctx context.Context, may func(*master.Operation) bool) (*resumed, error) {
	t := &resumed{}
	open, err := r.cfg.Operations.Find(ctx, docdb.Eq("outcome", master.Running))
	if err != nil {
		return t, err
	}
	for _, op := range open {
		if ctx.Err() != nil || !may(op) || !r.active.enter(op.ID) {
			continue
		}
		t.all.Go(func() {
			defer r.active.leave(op.ID)
			ended, err := r.resumeInTurn(ctx, op)
			t.mu.Lock()
			defer t.mu.Unlock()
			if ended {
				t.done++
			}
			t.errs = append(t.errs, err)
		})
	}
	return t, nil
}

// resumeInTurn waits for a place.
func (r *Runner) resumeInTurn(ctx context.Context, op *master.Operation) (bool, error) {
	ctx, stop := r.outlive(ctx)
	defer stop()
	place, ok := r.places[op.Kind]
	if !ok {
		_, err := r.Existing(op)
		return false, err
	}
	select {
	case place <- struct{}{}:
		defer func() { <-place }()
		return r.resumeOne(ctx, op)
	case <-ctx.Done():
		return false, nil
	}
}

// resumeOne makes this instance the owner and runs the operation to its end. An instance
// that loses the race for it does nothing.
func (r *Runner) resumeOne(ctx context.Context, op *master.Operation) (bool, error) {
	x, err := r.Existing(op)
	if err != nil {
		return false, err
	}
	began := time.Now()
	late, err := x.tooLate(ctx)
	if err == nil {
		err = x.acquireLease(ctx, late)
	}
	if err == nil {
		err = x.execute(ctx)
	}
	if errors.Is(err, master.ErrLeaseLost) {
		return false, nil
	}
	r.cfg.Logger.InfoContext(ctx, "operation resumed", "operation_id", op.ID, "kind", op.Kind, "step", op.Step,
		"outcome", op.Outcome, "duration", time.Since(began), "error", err)
	return err == nil, err
}

// ResumeNow resumes one operation, for a caller that waits for it.
func (r *Runner) ResumeNow(ctx context.Context, op *master.Operation) (bool, error) {
	if !r.active.enter(op.ID) {
		return false, nil
	}
	defer r.active.leave(op.ID)
	ctx, stop := r.outlive(ctx)
	defer stop()
	return r.resumeOne(ctx, op)
}

// beginWithin is how long after its lease an operation may still begin whose insert got no answer. If
// it arrives later than that, the client has been told that its outcome is unknown, and may have made
// another change since.
const beginWithin = time.Minute

// tooLate returns the refusal of an operation that arrives too late and has not begun, or nil.
func (x *Execution) tooLate(ctx context.Context) (*master.Refusal, error) {
	if x.Op.Begun() || x.runner.cfg.Now().Sub(x.Op.Lease.Until) <= beginWithin {
		return nil, nil
	}
	if begun, err := x.workflow.Begun(ctx); err != nil || begun {
		return nil, err
	}
	return refusalOf(org.Errorf(org.Unavailable, "The server stopped before the change began. Try again.")), nil
}

// acquireLease takes the operation from a former owner. On an exclusive engine that owner is dead, and
// has no messages under way. On a shared engine it may be alive, and messages that it has sent may
// arrive any time. The swap that takes it refuses it too, if it is late: a process that died in between
// would leave an operation that looks as if it had begun.
func (x *Execution) acquireLease(ctx context.Context, late *master.Refusal) error {
	alone, handed := x.runner.cfg.Alone, x.Op.Lease.Handed
	err := x.Checkpoint(ctx, func(op *master.Operation) {
		op.Lease.Owner = x.runner.cfg.Instance
		if late != nil {
			op.Step, op.Refusal = undoing, late
		}
		if !alone {
			op.Lease.Token++
			op.Lease.Handed = false
		}
	})
	if err != nil || alone {
		return err
	}
	return x.workflow.Acquired(ctx, handed)
}

// handOver lets another instance go on at once, without starting over: every call of this owner has
// returned, and its answer is known. If that is not so, or the storage does not answer, the next owner
// waits until the lease expires.
func (x *Execution) handOver(ctx context.Context) {
	if x.runner.cfg.Alone || !x.workflow.Settled() || x.Op.Outcome != master.Running {
		return
	}
	x.Op.Lease.Until, x.Op.Lease.Handed = x.runner.cfg.Now().Add(-time.Millisecond), true
	err := x.own(ctx, func(ctx context.Context) error { return x.runner.cfg.Operations.Swap(ctx, x.Op) })
	if err != nil && !errors.Is(err, master.ErrLeaseLost) {
		x.runner.cfg.Logger.WarnContext(ctx, "could not hand an operation over", "operation_id", x.Op.ID, "error", err)
	}
}

// Forestall stores the id of an operation as one that never began, so that the operation does not begin
// if its insert arrives late; or it returns the operation that is there.
func (r *Runner) Forestall(ctx context.Context, kind master.Kind, id string) (*master.Operation, error) {
	now := r.cfg.Now()
	op := &master.Operation{Meta: master.Meta{ID: id}, Kind: kind, Outcome: master.Forestalled, CreatedAt: now, UpdatedAt: now}
	err := r.cfg.Operations.Insert(ctx, op)
	if errors.Is(err, docdb.ErrDuplicate) {
		return r.cfg.Operations.Get(ctx, id)
	}
	return op, err
}

// ExpireForestalled removes operations that never began and are older than that.
func (r *Runner) ExpireForestalled(ctx context.Context, age time.Duration) error {
	return master.ForEach(ctx, r.cfg.Operations, docdb.Eq("outcome", master.Forestalled), func(ctx context.Context, op *master.Operation) error {
		if r.cfg.Now().Sub(op.CreatedAt) < age {
			return nil
		}
		return r.cfg.Operations.Remove(ctx, op)
	})
}
