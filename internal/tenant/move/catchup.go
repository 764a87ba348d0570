package move

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/tenant/master"
)

const (
	// applyBatch is how many documents are read at a time.
	applyBatch = 500
	// steadyRounds is after how many rounds that left hardly less than the one before the
	// block of writes is tried: writers that are as fast as the move get no slower by waiting. They need
	// not follow each other, so that what goes up and down ends too.
	steadyRounds = 4
	// longestBlock is for how long the last documents may keep clients waiting, as far
	// as the rounds before show how long one takes.
	longestBlock = 100 * time.Millisecond
	// fewEnough is how many are left to the block of writes without a further look at the clock.
	fewEnough = 16
)

// A Pace says when a catch-up has left little enough to the block of writes.
type Pace interface {
	// Enough is told how many documents a round brought over, and how long that took.
	Enough(documents int, took time.Duration) bool
}

// SteadyPace is the Pace of a move. What is left is little when it can be brought over while
// clients hardly notice, at the speed that was measured; or, where every round takes its time
// whatever there is to do or the writers are as fast as the move, when it is no less than
// what the round before left.
func SteadyPace() Pace { return &steadyPace{last: -1} }

type steadyPace struct{ last, steadies int }

// Enough implements Pace.
func (p *steadyPace) Enough(n int, took time.Duration) bool {
	steady := p.last >= 0 && n >= p.last-p.last/4
	if steady {
		p.steadies++
	}
	p.last = n
	return Little(n, took) || steady && (n <= applyBatch || p.steadies >= steadyRounds)
}

// Little reports whether what a round of so many documents leaves can be brought over while
// clients hardly notice.
func Little(documents int, took time.Duration) bool {
	return documents <= fewEnough || took <= longestBlock
}

// CatchUp goes on with rounds until what a round leaves to the block of writes is little.
func (m *Move) CatchUp(ctx context.Context) error {
	pace := m.mover.Pace()
	for {
		began := time.Now()
		n, err := m.round(ctx)
		if err != nil || pace.Enough(n, time.Since(began)) {
			return err
		}
	}
}

// round raises the epoch, waits for the writers of the earlier ones, and brings
// what they recorded up to date in the target. It returns how many that were.
func (m *Move) round(ctx context.Context) (int, error) {
	o, err := m.advanceEpoch(ctx, func(o *master.Organization) error { return m.enterPhase(o, master.Copying) })
	if err != nil {
		return 0, err
	}
	before := o.Epoch
	if err := m.drainAndTell(ctx, o); err != nil {
		return 0, err
	}
	p := &m.x.Op.Progress
	n := 0
	var batch []bson.RawValue
	for entry, err := range m.mover.Dirty.Between(ctx, o.Move.Dirty, p.Applied, before) {
		if err != nil {
			return n, err
		}
		if batch = append(batch, entry.ID); len(batch) < applyBatch {
			continue
		}
		if err := m.applySome(ctx, batch); err != nil {
			return n, err
		}
		n, batch = n+len(batch), batch[:0]
	}
	if err := m.applySome(ctx, batch); err != nil {
		return n, err
	}
	p.Applied = before - 1
	return n + len(batch), m.x.Heartbeat(ctx)
}

// drainAndTell waits for the writers of earlier epochs, and records which of theirs got no
// answer.
func (m *Move) drainAndTell(ctx context.Context, o *master.Organization) error {
	if err := m.Drain(ctx); err != nil {
		return err
	}
	return m.mover.Writers.RecordUnanswered(ctx, o)
}

// applySome brings documents up to date while clients go on. One that still finds its
// key taken was changed meanwhile, or the other was: it is put off.
func (m *Move) applySome(ctx context.Context, ids []bson.RawValue) error {
	late, err := m.apply(ctx, ids)
	if err != nil {
		return err
	}
	return m.putOff(ctx, late)
}

// apply makes the target's documents of those _ids equal to the source's. Two documents
// may have exchanged a unique key; so one that is in the way of another goes first, and
// comes back after all the rest. It returns those whose key was taken even then.
func (m *Move) apply(ctx context.Context, ids []bson.RawValue) (late []bson.RawValue, err error) {
	late = ids
	for range 2 {
		if late, err = m.syncAll(ctx, late); err != nil || len(late) == 0 {
			return nil, err
		}
	}
	return late, nil
}
