package tenant

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// kindName says what an operation does.
type kindName string

const (
	kindCreate kindName = "create"
	kindUpdate kindName = "update"
	kindDelete kindName = "delete"
)

// A kind is what its operations go through. Each step's effect can be repeated
// and comes before the mark that it is done, so that the function which runs an
// operation in a request is the one that takes it up again after a crash.
type kind struct {
	steps []step
	// undo takes back, repeatably, whatever the steps may have done; nil for
	// kinds that, once begun, only go forward.
	undo func(*run, context.Context) error
	// forget says whether the operation's document goes when it has this outcome.
	forget func(*operation, outcome) bool
}

// A step has one effect. It returns an *org.Error to refuse the operation,
// which is then undone; any other error leaves the operation as it is, to be
// tried again. It may decide things in the plan; the mark keeps them.
type step struct {
	name string
	do   func(*run, context.Context) error
	// moves marks the steps of a migration, which a plan may do without.
	moves bool
	// accepts marks the step after which nothing in what was asked for can stand in
	// the way any more.
	accepts bool
}

// undoing is the step of an operation that was refused.
const undoing = "undo"

func kindOf(name kindName) (kind, error) {
	switch name {
	case kindCreate:
		return createKind(), nil
	case kindUpdate:
		return updateKind(), nil
	case kindDelete:
		return deleteKind(), nil
	}
	return kind{}, fmt.Errorf("operation of unknown kind %q: made by a later version?", name)
}

// errLeaseLost: another instance has taken the operation over.
var errLeaseLost = errors.New("operation was taken over by another instance")

// run is one owner's work on one operation.
type run struct {
	*Store
	op   *operation
	kind kind
	// hash is the new password's, known only where the request came in, until
	// it is stored in admins.
	hash string
	// detached is the organization as an update left it.
	detached *organization
	// dropped are the collections that a deletion dropped.
	dropped []string
	// markedAt and loggedAt are when the operation last said how far it is.
	markedAt, loggedAt time.Time
	// accepted, if not nil, is called once, after the step that accepts.
	accepted func()
	// doubt is set when a write to the move's target got no answer; starts counts how
	// often that made the move begin anew.
	doubt  atomic.Bool
	starts int
	// known is the organization as this owner last wrote it.
	known atomic.Pointer[organization]
	// message is how long a message to the storage took when that was last measured, in
	// nanoseconds.
	message atomic.Int64
	// behindFence is set while clients wait: nothing is done then that can wait as well.
	behindFence bool
}

// start persists an operation and runs it to its end. It goes on when the
// caller's ctx ends: the client's leaving does not stop a change half-way.
func (s *Store) start(ctx context.Context, name kindName, orgID string, p plan, hash string) (*run, error) {
	r, err := s.newRun(name, orgID, p, hash)
	if err != nil {
		return nil, err
	}
	return r, r.begin(ctx)
}

// newRun makes a run of a new operation, which nobody knows of yet.
func (s *Store) newRun(name kindName, orgID string, p plan, hash string) (*run, error) {
	id, err := newID()
	if err != nil {
		return nil, fault(err)
	}
	k, err := kindOf(name)
	if err != nil {
		return nil, fault(err)
	}
	now := s.now()
	return &run{Store: s, kind: k, hash: hash, op: &operation{
		Meta: Meta{ID: id}, Kind: name, OrgID: orgID, Plan: p, Step: k.steps[0].name, Outcome: running,
		Lease:     lease{Owner: s.cfg.Instance, Until: now.Add(s.cfg.LeaseTTL), Fence: 1},
		CreatedAt: now, UpdatedAt: now,
	}}, nil
}

// begin is start for a run that newRun has made. A move waits for its turn first.
func (r *run) begin(ctx context.Context) error {
	if r.op.Plan.Migrate {
		leave, err := r.movePlaces.enter(ctx, r.op.OrgID)
		if err != nil {
			return fault(err)
		}
		defer leave()
		r.op.Lease.Until = r.now().Add(r.cfg.LeaseTTL)
	}
	if !r.runs.enter(r.op.ID) {
		return &org.Error{Kind: org.Unavailable, Message: "The server is stopping. Try again in a moment."}
	}
	defer r.runs.leave(r.op.ID)
	ctx, stop := r.outlive(ctx)
	defer stop()
	if err := r.persist(ctx); err != nil {
		return fault(err)
	}
	return r.finish(ctx)
}

// outlive returns a context with ctx's values that ends with the store.
func (s *Store) outlive(ctx context.Context) (context.Context, func()) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(s.life, cancel)
	return out, func() { stop(); cancel() }
}

// persist inserts the operation. Where no answer comes it is looked for, and not sent
// again: what arrives when the operation is over would begin it once more.
func (r *run) persist(ctx context.Context) error {
	sent := false
	return retry(ctx, func() error {
		if !sent {
			err := r.operations.insert(ctx, r.op)
			sent = errors.Is(err, docdb.ErrOutcomeUnknown)
			return err
		}
		now, err := r.operations.get(ctx, r.op.ID)
		switch {
		case errors.Is(err, docdb.ErrNotFound):
			return docdb.ErrOutcomeUnknown
		case err == nil && !now.Version.Equal(r.op.Version):
			return errLeaseLost // somebody has it already, or has seen to it that it does not begin
		}
		return err
	})
}

// finish runs the operation to its outcome, for a caller who waits for it.
func (r *run) finish(ctx context.Context) error {
	err := r.execute(ctx)
	if err != nil {
		r.cfg.Logger.WarnContext(ctx, "operation interrupted", "operation", r.op.ID, "kind", r.op.Kind,
			"step", r.op.Step, "error", err)
		return outcomeUnknown(err)
	}
	return r.refused()
}

// refused is why the operation failed; nil if it did not.
func (r *run) refused() error {
	f := r.op.Refusal
	if f == nil {
		return nil
	}
	e := &org.Error{Kind: f.Kind, Message: f.Message, Operation: f.Operation}
	if f.Field != "" {
		e.Fields = []org.FieldError{{Field: f.Field, Detail: "is taken"}}
	}
	return e
}

// execute takes step after step until the operation has an outcome. An owner
// that fails because another has taken over tidies up after itself.
func (r *run) execute(ctx context.Context) error {
	for r.op.Outcome == running {
		err := retry(ctx, func() error { return r.advance(ctx) })
		if err == nil {
			continue
		}
		if errors.Is(err, errLeaseLost) || r.deposed(ctx) {
			return errors.Join(errLeaseLost, err, r.tidy(ctx))
		}
		if r.life.Err() != nil {
			r.handOver(ctx)
		}
		return err
	}
	return nil
}

// deposed reports whether the operation is known to have another owner now, or
// to be over.
func (r *run) deposed(ctx context.Context) bool {
	now, err := r.operations.get(context.WithoutCancel(ctx), r.op.ID)
	return errors.Is(err, docdb.ErrNotFound) || err == nil && !(now.Outcome == running && r.owns(now))
}

// owns reports whether this owner was the last to write the operation.
func (r *run) owns(now *operation) bool {
	return now.Lease.Owner == r.op.Lease.Owner && now.Lease.Fence == r.op.Lease.Fence
}

// advance takes one step and marks it.
func (r *run) advance(ctx context.Context) error {
	if r.op.Step == undoing {
		if err := r.kind.undo(r, ctx); err != nil {
			return err
		}
		return r.conclude(ctx, failed)
	}
	at := r.position()
	if at < 0 {
		return fmt.Errorf("operation %s is at unknown step %q: made by a later version?", r.op.ID, r.op.Step)
	}
	err := r.kind.steps[at].do(r, ctx)
	if r.doubtful() {
		return r.startOver(ctx)
	}
	if err != nil {
		return r.refuse(ctx, err)
	}
	accepts := r.kind.steps[at].accepts && r.accepted != nil
	for at++; at < len(r.kind.steps); at++ {
		if next := r.kind.steps[at]; !next.moves || r.op.Plan.Migrate {
			err := r.mark(ctx, func(op *operation) { op.Step = next.name })
			if err == nil && accepts {
				r.accepted()
			}
			return err
		}
	}
	return r.conclude(ctx, succeeded)
}

func (r *run) position() int {
	for i, st := range r.kind.steps {
		if st.name == r.op.Step {
			return i
		}
	}
	return -1
}

// refuse sends the operation back if the step refused it, and returns the error
// if not.
func (r *run) refuse(ctx context.Context, err error) error {
	var no *org.Error
	if !errors.As(err, &no) {
		return err
	}
	f := &refusal{Kind: no.Kind, Message: no.Message, Operation: no.Operation}
	if len(no.Fields) > 0 {
		f.Field = no.Fields[0].Field
	}
	return r.mark(ctx, func(op *operation) { op.Step, op.Refusal = undoing, f })
}

// conclude is the last mark.
func (r *run) conclude(ctx context.Context, out outcome) error {
	if !r.kind.forget(r.op, out) {
		return r.mark(ctx, func(op *operation) { op.Outcome = out })
	}
	err := r.own(ctx, func(ctx context.Context) error { return r.operations.remove(ctx, r.op) })
	if err == nil {
		r.op.Outcome = out
	}
	return err
}

// mark records progress and extends the lease. errLeaseLost when another has
// the operation now; then this owner must not go on.
func (r *run) mark(ctx context.Context, edit func(*operation)) error {
	was := *r.op
	edit(r.op)
	r.markedAt = time.Now()
	r.op.UpdatedAt = r.now()
	r.op.Lease.Until = r.now().Add(r.cfg.LeaseTTL)
	err := r.own(ctx, func(ctx context.Context) error { return r.operations.swap(ctx, r.op) })
	if err != nil {
		*r.op = was
	}
	return err
}

// own runs a compare-and-swap on the operation. That it fails does not say that the
// lease is lost: an earlier mark of this owner's own, of which no answer came, may have
// arrived. Nobody else writes under its fence, so what it knows is newer than what it
// finds. A mark has a time of its own, whatever the step around it is given.
func (r *run) own(ctx context.Context, swap func(context.Context) error) error {
	ctx = context.WithoutCancel(ctx)
	for range swapAttempts {
		err := swap(ctx)
		if !errors.Is(err, docdb.ErrNoMatch) {
			return err
		}
		now, err := r.operations.get(ctx, r.op.ID)
		if errors.Is(err, docdb.ErrNotFound) || err == nil && !r.owns(now) {
			return errLeaseLost
		}
		if err != nil {
			return err
		}
		r.op.Meta = now.Meta
	}
	return docdb.ErrUnavailable
}
