package tenant

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/docdb"
)

// Resume takes up every operation whose owner has not been heard of for the
// length of its lease, and those of this process that were interrupted. It
// returns how many it brought to an end. It is called now and then, by every
// instance; the compare-and-swap on the operation decides which of them goes on.
func (s *Store) Resume(ctx context.Context) (int, error) {
	return s.resume(ctx, func(op *operation) bool {
		return op.Lease.Owner == s.cfg.Instance || s.now().After(op.Lease.Until)
	})
}

// recoverAll takes up everything: no other process can be at it. It waits for
// RecoverFor; what takes longer, a large move, goes on behind.
func (s *Store) recoverAll(ctx context.Context) error {
	n, err := s.operations.c.Count(ctx, docdb.Eq("outcome", running))
	if err != nil {
		return err
	}
	s.cfg.Phase(fmt.Sprintf("finishing %d interrupted operations", n))
	ctx, stop := s.outlive(ctx)
	done := make(chan error, 1)
	go func() {
		defer stop()
		_, err := s.resume(ctx, func(*operation) bool { return true })
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(s.cfg.RecoverFor):
		s.cfg.Logger.InfoContext(ctx, "interrupted operations go on in the background")
		return nil
	}
}

// resumeAtOnce is how many operations are taken up at a time: a large move must not
// keep the others waiting.
const resumeAtOnce = 4

func (s *Store) resume(ctx context.Context, may func(*operation) bool) (int, error) {
	open, err := s.operations.find(ctx, docdb.Eq("outcome", running))
	if err != nil {
		return 0, err
	}
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		errs []error
		done int
		room = make(chan struct{}, resumeAtOnce)
	)
	for _, op := range open {
		if ctx.Err() != nil {
			break
		}
		if !may(op) {
			continue
		}
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			ended, err := s.takeUp(ctx, op)
			mu.Lock()
			defer mu.Unlock()
			if ended {
				done++
			}
			errs = append(errs, err)
		})
	}
	all.Wait()
	return done, errors.Join(append(errs, ctx.Err())...)
}

// takeUp makes this instance the owner and runs the operation to its end. Who
// loses the race for it does nothing.
func (s *Store) takeUp(ctx context.Context, op *operation) (bool, error) {
	if !s.runs.enter(op.ID) {
		return false, nil
	}
	defer s.runs.leave(op.ID)
	ctx, stop := s.outlive(ctx)
	defer stop()
	k, err := kindOf(op.Kind)
	if err != nil {
		return false, err
	}
	r := &run{Store: s, op: op, kind: k}
	began := time.Now()
	if err = r.seize(ctx); err == nil {
		err = r.execute(ctx)
	}
	if errors.Is(err, errLeaseLost) {
		return false, nil
	}
	s.cfg.Logger.InfoContext(ctx, "operation resumed", "operation", op.ID, "kind", op.Kind, "step", op.Step,
		"outcome", op.Outcome, "duration", time.Since(began), "error", err)
	return err == nil, err
}

// seize takes the operation, and then the organization, from a former owner
// that may be alive: raised fences stop its marks and its flip. What it may still
// write to, a target half copied, is left behind for a fresh one; unless it got
// as far as the flip before it was stopped.
func (r *run) seize(ctx context.Context) error {
	former := r.op.Lease.Owner
	if r.cfg.Exclusive {
		former = r.cfg.Instance // whoever it was, is dead
	}
	err := r.mark(ctx, func(op *operation) {
		if former != r.cfg.Instance {
			op.Lease.Fence++
		}
		op.Lease.Owner = r.cfg.Instance
	})
	if err != nil || former == r.cfg.Instance {
		return err
	}
	o, err := found(r.organizations.change(ctx, r.op.OrgID, func(o *organization) (bool, error) {
		mine := o.Operation == r.op.ID
		o.Fence = r.op.Lease.Fence
		if o.Move != nil { // nobody waits at a fence that its owner has left
			o.Move = nil
			o.Epoch++
		}
		return mine, nil
	}))
	if err != nil || o == nil || o.Operation != r.op.ID || !r.op.Plan.Migrate || !r.before("credentials") {
		return err
	}
	if o.Collection == r.op.Plan.Target {
		return r.mark(ctx, func(op *operation) { op.Step = flipping })
	}
	if r.before("claim") {
		return nil
	}
	return r.mark(ctx, func(op *operation) { op.Step, op.Plan.Target, op.Progress = "claim", "", progress{} })
}

// before reports whether the operation has not come to the step of that name.
func (r *run) before(name string) bool {
	for _, st := range r.kind.steps {
		switch st.name {
		case name:
			return false
		case r.op.Step:
			return true
		}
	}
	return false
}
