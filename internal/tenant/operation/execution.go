package operation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/retry"
)

// undoing is the step of an operation that was refused.
const undoing = "undo"

// ErrRestarted is the error of a step that has set another step at which the operation goes on.
var ErrRestarted = errors.New("the operation goes on at another step")

// An Execution is one owner's work on one operation.
type Execution struct {
	Op *master.Operation
	// Quiet is set while clients wait: work that can be done later is then put off.
	Quiet bool

	runner   *Runner
	workflow Workflow
	steps    []Step
	// again says that steps may have had effects before: another execution's, or those of a try that failed.
	again bool
	// markedAt and loggedAt are the times of the last checkpoint and the last log line.
	markedAt, loggedAt time.Time
	// cause is the error with which this execution refused the operation; nil if it did not.
	cause error
	// accepted, if not nil, is called once, after the step that accepts.
	accepted func()
}

// Workflow returns the operation's workflow.
func (x *Execution) Workflow() Workflow { return x.workflow }

// Fresh reports whether no step can have had an effect that this execution does not know of.
func (x *Execution) Fresh() bool { return !x.again }

// persist inserts the operation. If no answer comes, it looks for the operation, and does not send it
// again: a message that arrives when the operation is over would begin it once more.
func (x *Execution) persist(ctx context.Context) error {
	sent := false
	return retry.Do(ctx, func() error {
		if !sent {
			err := x.runner.cfg.Operations.Insert(ctx, x.Op)
			sent = errors.Is(err, docdb.ErrOutcomeUnknown)
			return err
		}
		now, err := x.runner.cfg.Operations.Get(ctx, x.Op.ID)
		switch {
		case errors.Is(err, docdb.ErrNotFound):
			return docdb.ErrOutcomeUnknown
		case err == nil && !now.Version.Equal(x.Op.Version):
			return master.ErrLeaseLost // another instance has taken it over, or forestalled it
		}
		return err
	})
}

// finish runs the operation to its outcome, for a caller that waits for it.
func (x *Execution) finish(ctx context.Context) error {
	err := x.execute(ctx)
	if err != nil {
		x.runner.cfg.Logger.WarnContext(ctx, "operation interrupted", "operation_id", x.Op.ID, "kind", x.Op.Kind,
			"step", x.Op.Step, "error", err)
		return fault.OutcomeUnknown(err)
	}
	return x.refused()
}

// refused returns why the operation failed; nil if it did not.
func (x *Execution) refused() error {
	f := x.Op.Refusal
	if f == nil {
		return nil
	}
	e := &org.Error{Kind: f.Kind, Message: f.Message, Operation: f.Operation, Err: x.cause}
	if f.Field != "" {
		e.Fields = []org.FieldError{{Field: f.Field, Detail: "is taken"}}
	}
	return e
}

// execute takes step after step until the operation has an outcome. An owner that fails because another
// instance has taken over removes its own late effects.
func (x *Execution) execute(ctx context.Context) error {
	for x.Op.Outcome == master.Running {
		err := retry.Do(ctx, func() error {
			err := x.advance(ctx)
			x.again = x.again || err != nil
			return err
		})
		if err == nil {
			continue
		}
		if errors.Is(err, master.ErrLeaseLost) || x.leaseLost(ctx) {
			return errors.Join(master.ErrLeaseLost, err, x.workflow.LeaseLost(ctx))
		}
		if x.runner.life.Err() != nil {
			x.handOver(ctx)
		}
		return err
	}
	return nil
}

// leaseLost reports whether the operation is known to have another owner now, or
// to be over.
func (x *Execution) leaseLost(ctx context.Context) bool {
	now, err := x.runner.cfg.Operations.Get(context.WithoutCancel(ctx), x.Op.ID)
	return errors.Is(err, docdb.ErrNotFound) || err == nil && !(now.Outcome == master.Running && x.owns(now))
}

// owns reports whether this owner was the last to write the operation.
func (x *Execution) owns(now *master.Operation) bool {
	return now.Lease.Owner == x.Op.Lease.Owner && now.Lease.Token == x.Op.Lease.Token
}

// advance takes one step and marks it.
func (x *Execution) advance(ctx context.Context) error {
	if x.Op.Step == undoing {
		if err := x.workflow.Undo(ctx); err != nil {
			return err
		}
		return x.conclude(ctx, master.Failed)
	}
	at := x.position()
	if at < 0 {
		return fmt.Errorf("operation %s is at unknown step %q: made by a later version?", x.Op.ID, x.Op.Step)
	}
	switch err := x.steps[at].Do(ctx); {
	case errors.Is(err, ErrRestarted):
		x.again = true
		return nil
	case err != nil:
		return x.Refuse(ctx, err)
	}
	next := x.after(at)
	switch {
	case next == len(x.steps):
		return x.conclude(ctx, master.Succeeded)
	case x.steps[at].Joins && time.Since(x.markedAt) <= markEvery:
		x.Op.Step = x.steps[next].Name
		return nil
	}
	return x.reach(ctx, at, next)
}

// after is the step after another, or the number of steps.
func (x *Execution) after(at int) int {
	for at++; at < len(x.steps) && x.steps[at].Skip; at++ {
	}
	return at
}

// reach makes the checkpoint between two steps.
func (x *Execution) reach(ctx context.Context, at, next int) error {
	err := x.Checkpoint(ctx, func(op *master.Operation) { op.Step = x.steps[next].Name })
	if err == nil && x.steps[at].Accepts && x.accepted != nil {
		x.accepted()
	}
	return err
}

func (x *Execution) position() int {
	for i, step := range x.steps {
		if step.Name == x.Op.Step || slices.Contains(step.Was, x.Op.Step) {
			return i
		}
	}
	return -1
}

// Before reports whether the operation has not reached the step of that name.
func (x *Execution) Before(name string) bool {
	for _, step := range x.steps {
		switch step.Name {
		case name:
			return false
		case x.Op.Step:
			return true
		}
	}
	return false
}

// Refuse makes the operation undo its steps if err is an *org.Error, which refuses it. It returns any
// other error.
func (x *Execution) Refuse(ctx context.Context, err error) error {
	var no *org.Error
	if !errors.As(err, &no) {
		return err
	}
	f := refusalOf(no)
	x.cause = no.Err
	return x.Checkpoint(ctx, func(op *master.Operation) { op.Step, op.Refusal = undoing, f })
}

// refusalOf is an error as it is stored.
func refusalOf(no *org.Error) *master.Refusal {
	f := &master.Refusal{Kind: no.Kind, Message: no.Message, Operation: no.Operation}
	if len(no.Fields) > 0 {
		f.Field = no.Fields[0].Field
	}
	return f
}

// conclude is the last checkpoint.
func (x *Execution) conclude(ctx context.Context, out master.Outcome) error {
	if !x.workflow.Forget(out) {
		return x.Checkpoint(ctx, func(op *master.Operation) { op.Outcome = out })
	}
	err := x.own(ctx, func(ctx context.Context) error { return x.runner.cfg.Operations.Remove(ctx, x.Op) })
	if err == nil {
		x.Op.Outcome = out
	}
	return err
}

// Checkpoint records progress and extends the lease. It returns master.ErrLeaseLost if another instance
// owns the operation now; then this owner must stop.
func (x *Execution) Checkpoint(ctx context.Context, edit func(*master.Operation)) error {
	was := *x.Op
	edit(x.Op)
	x.markedAt = time.Now()
	x.Op.UpdatedAt = x.runner.cfg.Now()
	x.Op.Lease.Until = x.runner.cfg.Now().Add(x.runner.cfg.LeaseTTL)
	err := x.own(ctx, func(ctx context.Context) error { return x.runner.cfg.Operations.Swap(ctx, x.Op) })
	if err != nil {
		*x.Op = was
	}
	return err
}

// own runs a compare-and-swap on the operation. If it fails, the lease need not be lost: an earlier
// checkpoint of this owner, which got no answer, may have arrived. No other instance writes under this
// fencing token, so this owner's version is the newer one. A checkpoint has its own timeout, whatever
// that of the step around it.
func (x *Execution) own(ctx context.Context, swap func(context.Context) error) error {
	ctx = context.WithoutCancel(ctx)
	for range master.SwapAttempts {
		err := swap(ctx)
		if !errors.Is(err, docdb.ErrNoMatch) {
			return err
		}
		now, err := x.runner.cfg.Operations.Get(ctx, x.Op.ID)
		if errors.Is(err, docdb.ErrNotFound) || err == nil && !x.owns(now) {
			return master.ErrLeaseLost
		}
		if err != nil {
			return err
		}
		x.Op.Meta = now.Meta
	}
	return docdb.ErrUnavailable
}
