package tenant

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/org"
)

// flipping is the step that decides an update.
const flipping = "flip"

const (
	// fenceFor bounds the time that clients wait for one try of a cut-over.
	fenceFor = time.Second
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
	for range cutOvers {
		if done, err := r.flipped(ctx); done || err != nil {
			return err
		}
		if err := r.catchUp(ctx); err != nil {
			return err
		}
		err := r.cutOver(ctx)
		if err == nil || errors.Is(err, errLeaseLost) {
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

// adopt puts what the plan brings new in force.
func (r *run) adopt(o *organization) error {
	p := r.op.Plan
	if p.Migrate && !(o.fenced() && o.Move.Target == p.Target) {
		return errLeaseLost
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

// cutOver fences the organization, brings the last few documents over, and flips.
// If any of it fails or takes too long, clients go on where they were.
func (r *run) cutOver(ctx context.Context) error {
	began := time.Now()
	err := r.flipFenced(ctx)
	if err == nil || errors.Is(err, errLeaseLost) {
		r.cfg.Logger.DebugContext(ctx, "cut over", "operation", r.op.ID, "clients_waited", time.Since(began), "error", err)
		return err
	}
	// The flip may be done and its answer lost: flipped finds out.
	again := func() error { _, err := r.flipped(ctx); return err }
	if unfenceErr := retry(ctx, again); unfenceErr != nil {
		return errors.Join(err, unfenceErr)
	}
	return err
}

func (r *run) flipFenced(ctx context.Context) error {
	fenced, cancel := context.WithTimeoutCause(ctx, fenceFor, errors.New("the fence stood for too long"))
	defer cancel()
	if err := r.finishBehindFence(fenced); err != nil {
		if cause := context.Cause(fenced); cause != nil {
			err = errors.Join(cause, err)
		}
		return err
	}
	// Without the bound: a compare-and-swap that is cut off is in doubt.
	return r.flips.during(func() error {
		_, err := r.turn(ctx, r.adopt)
		return err
	})
}

func (r *run) finishBehindFence(ctx context.Context) error {
	o, err := r.turn(ctx, func(o *organization) error { return r.enter(o, fenced) })
	if err != nil {
		return err
	}
	if err := r.drain(ctx); err != nil {
		return err
	}
	after := r.op.Progress.Applied
	if _, err := r.apply(ctx, o.Move.Dirty, after, o.Epoch, true); err != nil {
		return err
	}
	if r.cfg.skip.verify {
		return nil
	}
	return r.compareDirty(ctx, o.Move.Dirty, after, o.Epoch)
}

// compareDirty checks that what was applied last is there.
func (r *run) compareDirty(ctx context.Context, set string, after, before int64) error {
	for id, err := range r.dirtyIDs(ctx, set, after, before) {
		if err != nil {
			return err
		}
		from, err := found(r.source().Get(ctx, id))
		if err != nil {
			return err
		}
		to, err := found(r.target().Get(ctx, id))
		if err != nil {
			return err
		}
		if !bytes.Equal(from, to) {
			return errDiffers
		}
	}
	return nil
}

// errDiffers is met when another document, which should have gone, holds a
// document's unique key in the target.
var errDiffers = errors.New("a document behind the fence differs from its source")
