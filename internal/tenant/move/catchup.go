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
	// steadyRounds is after how many rounds that left hardly less than the round before the
	// block of writes is tried: writers that are as fast as the move get no slower by waiting. The
	// rounds need not follow each other, so that a rate that goes up and down ends too.
	steadyRounds = 4
	// longestBlock is how long the last documents may keep clients waiting, estimated from the rounds
	// before.
	longestBlock = 100 * time.Millisecond
	// fewEnough is how many documents are left to the block of writes whatever time they take.
	fewEnough = 16
)

// A Pace decides when a catch-up has left few enough documents to the block of writes.
type Pace interface {
	// Enough is called with how many documents a round brought over, and how long that took.
	Enough(documents int, took time.Duration) bool
}

// SteadyPace is the Pace of a move. The rest is small enough if it can be brought over, at the measured
// speed, while clients hardly notice; or if it is no smaller than the rest of the round before, because
// the writers are as fast as the move or every round takes long whatever there is to do.
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

// Little reports whether the rest after a round of that many documents can be brought over while clients
// hardly notice.
func Little(documents int, took time.Duration) bool {
	return documents <= fewEnough || took <= longestBlock
}

// CatchUp makes rounds until a round leaves few enough documents to the block of writes.
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

// round raises the epoch, waits for the writers of earlier epochs, and brings the documents that they
// recorded up to date in the target. It returns how many documents that were.
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

// drainAndTell waits for the writers of earlier epochs, and records the documents whose writes got no
// answer.
func (m *Move) drainAndTell(ctx context.Context, o *master.Organization) error {
	if err := m.Drain(ctx); err != nil {
		return err
	}
	return m.mover.Writers.RecordUnanswered(ctx, o)
}

// applySome brings documents up to date while clients go on. If a document's unique key is still taken
// then, it or the document that has the key was changed meanwhile: it is put off.
func (m *Move) applySome(ctx context.Context, ids []bson.RawValue) error {
	late, err := m.apply(ctx, ids)
	if err != nil {
		return err
	}
	return m.putOff(ctx, late)
}

// apply makes the target's documents with those _ids equal to the source's. Two documents may have
// exchanged a unique key, so a document whose key is taken is first removed, and added again after all
// the others. It returns the documents whose key was taken even then.
func (m *Move) apply(ctx context.Context, ids []bson.RawValue) (late []bson.RawValue, err error) {
	late = ids
	for range 2 {
		if late, err = m.syncAll(ctx, late); err != nil || len(late) == 0 {
			return nil, err
		}
	}
	return late, nil
}
