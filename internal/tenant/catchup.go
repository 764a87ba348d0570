package tenant

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	// applyBatch is how many documents are read at a time.
	applyBatch = 500
	// steadyRounds is after how many rounds that left hardly less than the one before the
	// fence is tried: writers who are as fast as the move get no slower by waiting. They need
	// not follow each other, so that what goes up and down ends too.
	steadyRounds = 4
	// longestFence is for how long the last documents may keep clients waiting, as far
	// as the rounds before show how long one takes.
	longestFence = 100 * time.Millisecond
	// fewEnough is how many are left to the fence without a further look at the clock.
	fewEnough = 16
)

// catchUp goes on with rounds until what a round leaves to the fence is little: as many
// documents as can be brought over while clients hardly notice, at the speed that was
// measured; or, where every round takes its time whatever there is to do or the writers are
// as fast as the move, no fewer than the round before.
func (r *run) catchUp(ctx context.Context) error {
	last, steadies := -1, 0
	for {
		began := time.Now()
		n, err := r.round(ctx)
		if err != nil {
			return err
		}
		steady := last >= 0 && n >= last-last/4 && !r.cfg.skip.steady
		if steady {
			steadies++
		}
		if n <= fewEnough || time.Since(began) <= longestFence || steady && (n <= applyBatch || steadies >= steadyRounds) {
			return nil
		}
		last = n
	}
}

// round raises the epoch, waits for the writers of the earlier ones, and brings
// what they recorded up to date in the target. It returns how many that were.
func (r *run) round(ctx context.Context) (int, error) {
	o, err := r.turn(ctx, func(o *organization) error { return r.enter(o, copying) })
	if err != nil {
		return 0, err
	}
	before := o.Epoch
	if r.cfg.skip.epochs { // writers go on in the epoch that counts as applied
		before++
	}
	if err := r.drainAndTell(ctx, o); err != nil {
		return 0, err
	}
	p := &r.op.Progress
	n := 0
	var batch []bson.RawValue
	for entry, err := range r.dirtyIDs(ctx, o.Move.Dirty, p.Applied, before) {
		if err != nil {
			return n, err
		}
		if batch = append(batch, entry.ID); len(batch) < applyBatch {
			continue
		}
		if err := r.applySome(ctx, batch); err != nil {
			return n, err
		}
		n, batch = n+len(batch), batch[:0]
	}
	if err := r.applySome(ctx, batch); err != nil {
		return n, err
	}
	p.Applied = before - 1
	return n + len(batch), r.keep(ctx)
}

// drainAndTell waits for the writers of earlier epochs, and records which of theirs got no
// answer.
func (r *run) drainAndTell(ctx context.Context, o *organization) error {
	if err := r.drain(ctx); err != nil {
		return err
	}
	return r.recordUnanswered(ctx, o)
}

// applySome brings documents up to date while clients go on. One that still finds its
// key taken was changed meanwhile, or the other was: it is put off.
func (r *run) applySome(ctx context.Context, ids []bson.RawValue) error {
	late, err := r.apply(ctx, ids)
	if err != nil {
		return err
	}
	return r.putOff(ctx, late)
}

// apply makes the target's documents of those _ids equal to the source's. Two documents
// may have exchanged a unique key; so one that is in the way of another goes first, and
// comes back after all the rest. It returns those whose key was taken even then.
func (r *run) apply(ctx context.Context, ids []bson.RawValue) (late []bson.RawValue, err error) {
	late = ids
	for range 2 {
		if late, err = r.syncAll(ctx, late); err != nil || len(late) == 0 {
			return nil, err
		}
	}
	return late, nil
}
