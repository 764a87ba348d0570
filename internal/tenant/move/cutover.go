package move

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/retry"
)

const (
	// blockFor bounds the time that clients wait for a try of a cut-over; if messages take long, the
	// bound is the time of blockMessages messages.
	blockFor      = time.Second
	blockMessages = 30
	// blockAtMost is the limit to which every failed try doubles the bound for the next: a long pause
	// is better than a move that never ends. Clients wait longer than that, and leases last longer.
	blockAtMost    = 6 * time.Second
	blockDoublings = 3 // as many as lead from blockFor past blockAtMost
	// cutOvers bounds the tries. The pauses between them grow, so that clients can go on, and a dead
	// instance is taken for dead in time.
	cutOvers     = 24
	cutOverPause = 50 * time.Millisecond
	longestPause = 5 * time.Second
)

// Flip is the moment of the change: name, collection and generation in one
// compare-and-swap; with a move, while writes are blocked.
func (m *Move) Flip(ctx context.Context) error {
	if !m.x.Op.Plan.Migrate {
		_, err := m.advanceEpoch(ctx, m.commit)
		return err
	}
	between := cutOverPause
	for try := range cutOvers {
		if done, err := m.flipped(ctx); done || err != nil {
			return err
		}
		if err := m.CatchUp(ctx); err != nil {
			return err
		}
		err := m.cutOver(ctx, m.blockLimit(try))
		if err == nil || errors.Is(err, master.ErrLeaseLost) || m.Doubtful() {
			return err
		}
		m.mover.Logger.WarnContext(ctx, "a cut-over was given up and is tried again", "operation_id", m.x.Op.ID, "again_in", between, "error", err)
		if err := retry.Pause(ctx, between); err != nil {
			return err
		}
		between = min(2*between, longestPause)
	}
	return org.Errorf(org.Unavailable, "The data could not be handed over to its new collection. Nothing was changed.")
}

// flipped reports whether the organization has its new collection already. It lifts a block of writes
// that an earlier try has left.
func (m *Move) flipped(ctx context.Context) (bool, error) {
	o, err := m.mover.Master.Organizations.Get(ctx, m.x.Op.OrgID)
	if err != nil {
		return false, err
	}
	if o.Collection == m.x.Op.Plan.Target {
		return true, nil
	}
	if o.Operation != m.x.Op.ID || o.Move == nil {
		return false, master.ErrLeaseLost
	}
	if !o.WritesBlocked() {
		return false, nil
	}
	return false, m.unblock(ctx)
}

// unblock lets clients go on where they were. It does not touch a move that is over or has another
// owner.
func (m *Move) unblock(ctx context.Context) error {
	_, err := m.advanceEpoch(ctx, func(o *master.Organization) error { return m.enterPhase(o, master.Copying) })
	return err
}

// enterPhase brings the move to a phase.
func (m *Move) enterPhase(o *master.Organization, to master.Phase) error {
	if o.Move == nil || o.Move.Target != m.x.Op.Plan.Target {
		return master.ErrLeaseLost
	}
	o.Move.Phase = to
	return nil
}

// errUnblocked says that writes went on before all documents were brought over.
var errUnblocked = errors.New("writes were blocked for too long")

// commit applies the plan's new values to the organization.
func (m *Move) commit(o *master.Organization) error {
	p := m.x.Op.Plan
	if p.Migrate && (o.Move == nil || o.Move.Target != p.Target) {
		return master.ErrLeaseLost
	}
	if p.Migrate && !o.WritesBlocked() {
		return errUnblocked
	}
	if p.Name != "" {
		o.Name, o.NameKey = p.Name, p.NameKey
	}
	if p.Migrate {
		o.Collection, o.Generation, o.Move = p.Target, p.Generation, nil
	}
	o.UpdatedAt = m.mover.Now()
	return nil
}

// blockLimit is how long writes may be blocked by a try.
func (m *Move) blockLimit(try int) time.Duration {
	first := max(blockFor, blockMessages*m.messageTime())
	return max(first, min(first<<min(try, blockDoublings), blockAtMost))
}

// cutOver blocks the organization's writes, brings the last few documents over, and flips. If a part of
// it fails or takes too long, clients go on where they were, at once, even if a write to the target is
// still in progress.
func (m *Move) cutOver(ctx context.Context, limit time.Duration) error {
	began := time.Now()
	m.x.Quiet = true
	defer func() { m.x.Quiet = false }()
	blocked, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lifted := make(chan error, 1)
	timer := time.AfterFunc(limit, func() {
		cancel(errUnblocked)
		_, err := m.lift(ctx)
		lifted <- err
	})
	err := m.flipBlocked(blocked)
	if !timer.Stop() {
		if liftErr := <-lifted; err != nil {
			err = errors.Join(err, liftErr)
		}
	}
	if err == nil {
		m.mover.Logger.DebugContext(ctx, "cut over", "operation_id", m.x.Op.ID, "clients_waited", time.Since(began))
		return nil
	}
	done, liftErr := m.lift(ctx)
	if done {
		return nil // its answer was lost
	}
	return errors.Join(err, liftErr)
}

// lift lets writes go on, even if the context of the block has ended, and reports whether the
// organization has its new collection. If another owner has the operation now, that owner has lifted
// the block.
func (m *Move) lift(ctx context.Context) (done bool, err error) {
	ctx = context.WithoutCancel(ctx)
	err = retry.Do(ctx, func() error {
		done, err = m.flipped(ctx)
		return err
	})
	return done, err
}

func (m *Move) flipBlocked(ctx context.Context) error {
	o, err := m.advanceEpoch(ctx, func(o *master.Organization) error { return m.enterPhase(o, master.Blocked) })
	if err != nil {
		return err
	}
	if err := m.finishBlocked(ctx, o); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = errors.Join(cause, err)
		}
		return err
	}
	if m.Doubtful() {
		return docdb.ErrOutcomeUnknown
	}
	_, err = m.advanceEpoch(context.WithoutCancel(ctx), m.commit)
	return err
}

// finishBlocked brings over the documents that were written last. If a write got no answer, and may
// still be carried out, readers wait as well: they see its effect in the target or nowhere.
func (m *Move) finishBlocked(ctx context.Context, o *master.Organization) error {
	set, before := o.Move.Dirty, o.Epoch
	if err := m.drainAndTell(ctx, o); err != nil {
		return err
	}
	var ids []bson.RawValue
	doubt := false
	for entry, err := range m.mover.Dirty.Between(ctx, set, m.x.Op.Progress.Applied, before) {
		if err != nil {
			return err
		}
		ids, doubt = append(ids, entry.ID), doubt || entry.Doubt
	}
	if doubt {
		if _, err := m.advanceEpoch(ctx, func(o *master.Organization) error { return m.enterPhase(o, master.Closed) }); err != nil {
			return err
		}
	}
	late, err := m.apply(ctx, ids)
	if err == nil && len(late) > 0 {
		return errDiffers
	}
	return err
}

// errDiffers says that the target still has another document, which should be gone, with the unique key
// of a document.
var errDiffers = errors.New("a document differs from its source")
