package tenant

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// Recover begins to take up every operation whose owner has not been heard of for the
// length of its lease, and those of this process that were interrupted. It does not wait
// for them: Close does. It is called now and then, by every instance; the compare-and-swap on
// the operation decides which of them goes on.
func (s *Store) Recover(ctx context.Context) error {
	_, err := s.resume(ctx, s.abandoned)
	return err
}

// Resume is Recover, and waits. It returns how many operations it brought to an end.
func (s *Store) Resume(ctx context.Context) (int, error) {
	taken, err := s.resume(ctx, s.abandoned)
	if err != nil {
		return 0, err
	}
	ended, err := taken.wait()
	return ended, errors.Join(err, ctx.Err())
}

// abandoned reports whether nobody is at an operation any more.
func (s *Store) abandoned(op *operation) bool {
	return op.Lease.Owner == s.cfg.Instance || s.now().After(op.Lease.Until)
}

// recoverAll takes up everything: no other process can be at it. It waits for
// RecoverFor; what takes longer, a large move, goes on behind.
func (s *Store) recoverAll(ctx context.Context) error {
	n, err := s.operations.c.Count(ctx, docdb.Eq("outcome", running))
	if err != nil {
		return err
	}
	s.cfg.Phase(fmt.Sprintf("finishing %d interrupted operations", n))
	taken, err := s.resume(ctx, func(*operation) bool { return true })
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		_, err := taken.wait()
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-time.After(s.cfg.RecoverFor):
		s.cfg.Logger.InfoContext(ctx, "interrupted operations go on in the background")
		return nil
	}
}

// resumeAtOnce is how many operations of a kind are taken up at a time. Each kind has
// places of its own: large moves must not keep a name that a create has reserved.
const resumeAtOnce = 4

// places are for the operations that are taken up.
type places map[kindName]chan struct{}

func newPlaces() places {
	p := places{}
	for _, name := range []kindName{kindCreate, kindUpdate, kindDelete} {
		p[name] = make(chan struct{}, resumeAtOnce)
	}
	return p
}

// taken are operations that were taken up together.
type taken struct {
	all  sync.WaitGroup
	mu   sync.Mutex
	errs []error
	done int
}

// wait returns how many were brought to an end.
func (t *taken) wait() (int, error) {
	t.all.Wait()
	return t.done, errors.Join(t.errs...)
}

// resume takes up the operations that may be, side by side. An operation that it has
// begun with is one of Store.runs, for which Close waits.
func (s *Store) resume(ctx context.Context, may func(*operation) bool) (*taken, error) {
	t := &taken{}
	open, err := s.operations.find(ctx, docdb.Eq("outcome", running))
	if err != nil {
		return t, err
	}
	for _, op := range open {
		if ctx.Err() != nil || !may(op) || !s.runs.enter(op.ID) {
			continue
		}
		t.all.Go(func() {
			defer s.runs.leave(op.ID)
			ended, err := s.takeUpInTurn(ctx, op)
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

// takeUpInTurn waits for a place.
func (s *Store) takeUpInTurn(ctx context.Context, op *operation) (bool, error) {
	ctx, stop := s.outlive(ctx)
	defer stop()
	place, ok := s.places[op.Kind]
	if !ok {
		_, err := kindOf(op.Kind)
		return false, err
	}
	select {
	case place <- struct{}{}:
		defer func() { <-place }()
		return s.takeUp(ctx, op)
	case <-ctx.Done():
		return false, nil
	}
}

// takeUp makes this instance the owner and runs the operation to its end. Who
// loses the race for it does nothing.
func (s *Store) takeUp(ctx context.Context, op *operation) (bool, error) {
	k, err := kindOf(op.Kind)
	if err != nil {
		return false, err
	}
	r := &run{Store: s, op: op, kind: k}
	began := time.Now()
	late := op.unbegun() && s.now().Sub(op.Lease.Until) > beginWithin
	if err = r.seize(ctx); err == nil && late {
		err = r.refuseLate(ctx)
	}
	if err == nil {
		err = r.execute(ctx)
	}
	if errors.Is(err, errLeaseLost) {
		return false, nil
	}
	s.cfg.Logger.InfoContext(ctx, "operation resumed", "operation", op.ID, "kind", op.Kind, "step", op.Step,
		"outcome", op.Outcome, "duration", time.Since(began), "error", err)
	return err == nil, err
}

// beginWithin is how long after its lease an operation may still begin of which nobody
// knows whether it was begun. One that arrives later than that, whoever sent it was told
// that its outcome is unknown, and has done something else since.
const beginWithin = time.Minute

// unbegun reports whether no step of the operation was ever marked.
func (op *operation) unbegun() bool { return len(op.Past) == 0 }

// refuseLate undoes an operation that comes too late to begin, unless it has.
func (r *run) refuseLate(ctx context.Context) error {
	o, err := found(r.organizations.get(ctx, r.op.OrgID))
	if err != nil || o != nil && o.Operation == r.op.ID {
		return err
	}
	return r.refuse(ctx, org.Errorf(org.Unavailable, "The server stopped before the change began. Try again."))
}

// takeUpNow is takeUp for who waits for this one operation.
func (s *Store) takeUpNow(ctx context.Context, op *operation) (bool, error) {
	if !s.runs.enter(op.ID) {
		return false, nil
	}
	defer s.runs.leave(op.ID)
	ctx, stop := s.outlive(ctx)
	defer stop()
	return s.takeUp(ctx, op)
}

// seize takes the operation, and then the organization, from a former owner. On an
// exclusive engine that one is dead, and nothing of its is under way. Elsewhere it may be
// alive, and messages that it has sent may arrive any time: what it may write to, a target
// half copied, is left behind for a fresh one; unless it handed the operation over, or got
// as far as the flip before it was stopped.
func (r *run) seize(ctx context.Context) error {
	if r.cfg.Exclusive {
		return r.mark(ctx, func(op *operation) { op.Lease.Owner = r.cfg.Instance })
	}
	handed := r.op.Lease.Handed
	err := r.mark(ctx, func(op *operation) {
		op.Lease.Fence++
		op.Lease.Owner, op.Lease.Handed = r.cfg.Instance, false
	})
	if err != nil {
		return err
	}
	return r.takeOrganization(ctx, handed)
}

// takeOrganization stops whoever has run the operation before under another fence, and
// sends a move back to where it claims its target, unless that can be trusted.
func (r *run) takeOrganization(ctx context.Context, trusted bool) error {
	r.known.Store(nil)
	o, err := found(r.organizations.change(ctx, r.op.OrgID, func(o *organization) (bool, error) {
		mine := o.Operation == r.op.ID
		o.Fence = r.op.Lease.Fence
		if o.Move != nil { // nobody waits at a fence that its owner has left
			o.Epoch++
			if o.Move.Phase = copying; !trusted {
				o.Move = nil
			}
		}
		return mine, nil
	}))
	if err != nil || o == nil || o.Operation != r.op.ID || !r.op.Plan.Migrate || !r.before("credentials") {
		return err
	}
	if o.Collection == r.op.Plan.Target {
		return r.mark(ctx, func(op *operation) { op.Step = flipping })
	}
	if trusted && o.Move != nil || r.before("claim") {
		return nil
	}
	return r.mark(ctx, func(op *operation) { op.Step, op.Plan.Target, op.Progress = "claim", "", progress{} })
}

// handOver lets another instance go on at once, and with the target as it is: every
// call of this owner's has come back, and its answer is known. Where that cannot be said,
// or the storage does not answer, the lease runs out, and the copy begins anew.
func (r *run) handOver(ctx context.Context) {
	if r.cfg.Exclusive || r.doubt.Load() || r.op.Outcome != running {
		return
	}
	r.op.Lease.Until, r.op.Lease.Handed = r.now().Add(-time.Millisecond), true
	err := r.own(ctx, func(ctx context.Context) error { return r.operations.swap(ctx, r.op) })
	if err != nil && !errors.Is(err, errLeaseLost) {
		r.cfg.Logger.WarnContext(ctx, "could not hand an operation over", "operation", r.op.ID, "error", err)
	}
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
