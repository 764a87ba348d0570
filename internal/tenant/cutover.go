package tenant

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// flipping is the step that decides an update.
const flipping = "flip"

const (
	// fenceFor bounds the time that clients wait for one try of a cut-over; where
	// messages take long, fenceMessages of them instead.
	fenceFor      = time.Second
	fenceMessages = 30
	// fenceAtMost is up to what each try that failed doubles it for the next: a long pause is
	// better than a move that never ends. Clients wait for longer, and a lease lasts for longer.
	fenceAtMost    = 6 * time.Second
	fenceDoublings = 3 // as many as lead from fenceFor past fenceAtMost
	// cutOvers bounds the tries; the pause after each is longer than the one before,
	// so that clients get on, and a dead instance has time to be taken for dead.
	cutOvers     = 24
	cutOverPause = 50 * time.Millisecond
	longestPause = 5 * time.Second
)

// flip is the moment of the change: name, collection and generation in one
// compare-and-swap; with a move, behind the fence.
func (r *run) flip(ctx context.Context) error {
	if !r.op.Plan.Migrate {
		_, err := r.turn(ctx, r.adopt)
		return err
	}
	between := cutOverPause
	for try := range cutOvers {
		if done, err := r.flipped(ctx); done || err != nil {
			return err
		}
		if err := r.catchUp(ctx); err != nil {
			return err
		}
		err := r.cutOver(ctx, r.fenceLimit(try))
		if err == nil || errors.Is(err, errLeaseLost) || r.doubtful() {
			return err
		}
		r.cfg.Logger.WarnContext(ctx, "a cut-over was given up and is tried again", "operation", r.op.ID, "again_in", between, "error", err)
		if err := pause(ctx, between); err != nil {
			return err
		}
		between = min(2*between, longestPause)
	}
	return org.Errorf(org.Unavailable, "The data could not be handed over to its new collection. Nothing was changed.")
}

// flipped reports whether the organization has its new collection already. A
// fence that an earlier try has left is taken down.
func (r *run) flipped(ctx context.Context) (bool, error) {
	o, err := r.organizations.get(ctx, r.op.OrgID)
	if err != nil {
		return false, err
	}
	if o.Collection == r.op.Plan.Target {
		return true, nil
	}
	if o.Operation != r.op.ID || o.Move == nil {
		return false, errLeaseLost
	}
	if !o.fenced() {
		return false, nil
	}
	return false, r.unfence(ctx)
}

// unfence lets clients go on where they were. One that is not there any more, or another
// owner's, is not touched.
func (r *run) unfence(ctx context.Context) error {
	_, err := r.turn(ctx, func(o *organization) error { return r.enter(o, copying) })
	return err
}

// enter brings the move to a phase.
func (r *run) enter(o *organization, to phase) error {
	if o.Move == nil || o.Move.Target != r.op.Plan.Target {
		return errLeaseLost
	}
	o.Move.Phase = to
	return nil
}

// errUnfenced: the fence was taken down before all was brought over.
var errUnfenced = errors.New("the fence stood for too long")

// adopt puts what the plan brings new in force.
func (r *run) adopt(o *organization) error {
	p := r.op.Plan
	if p.Migrate && (o.Move == nil || o.Move.Target != p.Target) {
		return errLeaseLost
	}
	if p.Migrate && !o.fenced() {
		return errUnfenced
	}
	if p.Name != "" {
		o.Name, o.NameKey = p.Name, p.NameKey
	}
	if p.Migrate {
		o.Collection, o.Generation, o.Move = p.Target, p.Generation, nil
	}
	o.UpdatedAt = r.now()
	return nil
}

// fenceLimit is how long the fence of a try may stand.
func (r *run) fenceLimit(try int) time.Duration {
	first := max(fenceFor, fenceMessages*r.messageTime())
	return max(first, min(first<<min(try, fenceDoublings), fenceAtMost))
}

// cutOver fences the organization, brings the last few documents over, and flips.
// If any of it fails or takes too long, clients go on where they were: at once, also
// while a write to the target is still waited for.
func (r *run) cutOver(ctx context.Context, limit time.Duration) error {
	began := time.Now()
	r.behindFence = true
	defer func() { r.behindFence = false }()
	fenced, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lifted := make(chan error, 1)
	timer := time.AfterFunc(limit, func() {
		cancel(errUnfenced)
		_, err := r.lift(ctx)
		lifted <- err
	})
	err := r.flipFenced(fenced)
	if !timer.Stop() {
		if liftErr := <-lifted; err != nil {
			err = errors.Join(err, liftErr)
		}
	}
	if err == nil {
		r.cfg.Logger.DebugContext(ctx, "cut over", "operation", r.op.ID, "clients_waited", time.Since(began))
		return nil
	}
	done, liftErr := r.lift(ctx)
	if done {
		return nil // its answer was lost
	}
	return errors.Join(err, liftErr)
}

// lift takes the fence down, whatever became of the context that it was put up under, and
// reports whether the organization has its new collection. Where another has the operation
// now, that one has taken the fence down.
func (r *run) lift(ctx context.Context) (done bool, err error) {
	ctx = context.WithoutCancel(ctx)
	err = retry(ctx, func() error {
		done, err = r.flipped(ctx)
		return err
	})
	return done, err
}

func (r *run) flipFenced(ctx context.Context) error {
	o, err := r.turn(ctx, func(o *organization) error { return r.enter(o, fenced) })
	if err != nil {
		return err
	}
	if err := r.finishBehindFence(ctx, o); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = errors.Join(cause, err)
		}
		return err
	}
	if r.doubtful() {
		return docdb.ErrOutcomeUnknown
	}
	_, err = r.turn(context.WithoutCancel(ctx), r.adopt)
	return err
}

// finishBehindFence brings over what was written last. Where a write got no answer, and may
// be carried out yet, readers wait as well: what they have not seen until now they will see
// in the target or nowhere.
func (r *run) finishBehindFence(ctx context.Context, o *organization) error {
	set, before := o.Move.Dirty, o.Epoch
	if err := r.drainAndTell(ctx, o); err != nil {
		return err
	}
	var ids []bson.RawValue
	doubt := false
	for entry, err := range r.dirtyIDs(ctx, set, r.op.Progress.Applied, before) {
		if err != nil {
			return err
		}
		ids, doubt = append(ids, entry.ID), doubt || entry.Doubt
	}
	if doubt {
		if _, err := r.turn(ctx, func(o *organization) error { return r.enter(o, closed) }); err != nil {
			return err
		}
	}
	late, err := r.apply(ctx, ids)
	if err == nil && len(late) > 0 {
		return errDiffers
	}
	return err
}

// errDiffers is met when another document, which should have gone, holds a
// document's unique key in the target.
var errDiffers = errors.New("a document behind the fence differs from its source")
