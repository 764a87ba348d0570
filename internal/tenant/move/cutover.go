package move

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
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

// Flip is the moment of the move: name, collection and generation in one
// compare-and-swap, while writes are blocked.
func (m *Move) Flip(ctx context.Context) error { return m.cutOver.run(ctx) }

// cutOver hands an organization over to the target of its move.
type cutOver struct {
	x           *operation.Execution
	record      *record
	collections *collections
	catchUp     *catchUp
	logger      *slog.Logger
	now         func() time.Time
}

// run tries until the organization has its new collection.
func (c *cutOver) run(ctx context.Context) error {
	between := cutOverPause
	for try := range cutOvers {
		if done, err := c.flipped(ctx); done || err != nil {
			return err
		}
		if err := c.catchUp.run(ctx); err != nil {
			return err
		}
		err := c.try(ctx, c.blockLimit(try))
		if err == nil || errors.Is(err, master.ErrLeaseLost) || c.collections.doubtful() {
			return err
		}
		c.logger.WarnContext(ctx, "a cut-over was given up and is tried again", "operation_id", c.x.Op.ID, "again_in", between, "error", err)
		if err := retry.Pause(ctx, between); err != nil {
			return err
		}
		between = min(2*between, longestPause)
	}
	return org.Errorf(org.Unavailable, "The data could not be handed over to its new collection. Nothing was changed.")
}

// flipped reports whether the organization has its new collection already. It lifts a block of writes
// that an earlier try has left.
func (c *cutOver) flipped(ctx context.Context) (bool, error) {
	o, err := c.record.get(ctx)
	if err != nil {
		return false, err
	}
	if o.Collection == c.x.Op.Plan.Target {
		return true, nil
	}
	if o.Operation != c.x.Op.ID || o.Move == nil {
		return false, master.ErrLeaseLost
	}
	if !o.WritesBlocked() {
		return false, nil
	}
	_, err = c.record.enter(ctx, master.Copying) // clients go on where they were
	return false, err
}

// errUnblocked says that writes went on before all documents were brought over.
var errUnblocked = errors.New("writes were blocked for too long")

// commit applies the plan's new name and collection to the organization.
func (c *cutOver) commit(o *master.Organization) error {
	p := c.x.Op.Plan
	if o.Move == nil || o.Move.Target != p.Target {
		return master.ErrLeaseLost
	}
	if !o.WritesBlocked() {
		return errUnblocked
	}
	if p.Name != "" {
		o.Name, o.NameKey = p.Name, p.NameKey
	}
	o.Collection, o.Generation, o.Move = p.Target, p.Generation, nil
	o.UpdatedAt = c.now()
	return nil
}

// blockLimit is how long writes may be blocked by a try.
func (c *cutOver) blockLimit(try int) time.Duration {
	first := max(blockFor, blockMessages*c.record.messageTime())
	return max(first, min(first<<min(try, blockDoublings), blockAtMost))
}

// try blocks the organization's writes, brings the last few documents over, and flips. If a part of
// it fails or takes too long, clients go on where they were, at once, even if a write to the target is
// still in progress.
func (c *cutOver) try(ctx context.Context, limit time.Duration) error {
	began := time.Now()
	c.x.Quiet = true
	defer func() { c.x.Quiet = false }()
	blocked, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lifted := make(chan error, 1)
	timer := time.AfterFunc(limit, func() {
		cancel(errUnblocked)
		_, err := c.lift(ctx)
		lifted <- err
	})
	err := c.flipBlocked(blocked)
	if !timer.Stop() {
		if liftErr := <-lifted; err != nil {
			err = errors.Join(err, liftErr)
		}
	}
	if err == nil {
		c.logger.DebugContext(ctx, "cut over", "operation_id", c.x.Op.ID, "clients_waited", time.Since(began))
		return nil
	}
	done, liftErr := c.lift(ctx)
	if done {
		return nil // its answer was lost
	}
	return errors.Join(err, liftErr)
}

// lift lets writes go on, even if the context of the block has ended, and reports whether the
// organization has its new collection. If another owner has the operation now, that owner has lifted
// the block.
func (c *cutOver) lift(ctx context.Context) (done bool, err error) {
	ctx = context.WithoutCancel(ctx)
	err = retry.Do(ctx, func() error {
		done, err = c.flipped(ctx)
		return err
	})
	return done, err
}

func (c *cutOver) flipBlocked(ctx context.Context) error {
	o, err := c.record.enter(ctx, master.Blocked)
	if err != nil {
		return err
	}
	if err := c.finishBlocked(ctx, o); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = errors.Join(cause, err)
		}
		return err
	}
	if c.collections.doubtful() {
		return docdb.ErrOutcomeUnknown
	}
	_, err = c.record.advance(context.WithoutCancel(ctx), c.commit)
	return err
}

// finishBlocked brings over the documents that were written last. If a write got no answer, and may
// still be carried out, readers wait as well: they see its effect in the target or nowhere.
func (c *cutOver) finishBlocked(ctx context.Context, o *master.Organization) error {
	ids, doubt, err := c.catchUp.outstanding(ctx, o)
	if err != nil {
		return err
	}
	if doubt {
		if _, err := c.record.enter(ctx, master.Closed); err != nil {
			return err
		}
	}
	late, err := c.catchUp.apply(ctx, ids)
	if err == nil && len(late) > 0 {
		return errDiffers
	}
	return err
}

// errDiffers says that the target still has another document, which should be gone, with the unique key
// of a document.
var errDiffers = errors.New("a document differs from its source")
