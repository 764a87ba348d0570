package move

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
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
func (m *Move) CatchUp(ctx context.Context) error { return m.catchUp.run(ctx) }

// catchUp brings the documents over that clients have written since the move was announced.
type catchUp struct {
	x           *operation.Execution
	record      *record
	collections *collections
	writes      writes
	dirty       access.DirtySets
	pace        func() Pace
}

func (c *catchUp) run(ctx context.Context) error {
	pace := c.pace()
	for {
		began := time.Now()
		n, err := c.round(ctx)
		if err != nil || pace.Enough(n, time.Since(began)) {
			return err
		}
	}
}

// round raises the epoch, waits for the writers of earlier epochs, and brings the documents that they
// recorded up to date in the target. It returns how many documents that were.
func (c *catchUp) round(ctx context.Context) (int, error) {
	o, err := c.record.enter(ctx, master.Copying)
	if err != nil {
		return 0, err
	}
	before := o.Epoch
	if err := c.writes.drainAndTell(ctx, o); err != nil {
		return 0, err
	}
	p := &c.x.Op.Progress
	n := 0
	var batch []bson.RawValue
	for entry, err := range c.dirty.Between(ctx, o.Move.Dirty, p.Applied, before) {
		if err != nil {
			return n, err
		}
		if batch = append(batch, entry.ID); len(batch) < applyBatch {
			continue
		}
		if err := c.applySome(ctx, batch); err != nil {
			return n, err
		}
		n, batch = n+len(batch), batch[:0]
	}
	if err := c.applySome(ctx, batch); err != nil {
		return n, err
	}
	p.Applied = before - 1
	return n + len(batch), c.x.Heartbeat(ctx)
}

// applySome brings documents up to date while clients go on. If a document's unique key is still taken
// then, it or the document that has the key was changed meanwhile: it is put off.
func (c *catchUp) applySome(ctx context.Context, ids []bson.RawValue) error {
	late, err := c.apply(ctx, ids)
	if err != nil {
		return err
	}
	return c.putOff(ctx, late)
}

// apply makes the target's documents with those _ids equal to the source's. Two documents may have
// exchanged a unique key, so a document whose key is taken is first removed, and added again after all
// the others. It returns the documents whose key was taken even then.
func (c *catchUp) apply(ctx context.Context, ids []bson.RawValue) (late []bson.RawValue, err error) {
	late = ids
	for range 2 {
		if late, err = c.collections.syncAll(ctx, late); err != nil || len(late) == 0 {
			return nil, err
		}
	}
	return late, nil
}

// outstanding waits for the writers of earlier epochs than the organization's, and returns the documents
// that they have recorded since the last round. doubt says that a write on one of them got no answer.
func (c *catchUp) outstanding(ctx context.Context, o *master.Organization) (ids []bson.RawValue, doubt bool, err error) {
	if err := c.writes.drainAndTell(ctx, o); err != nil {
		return nil, false, err
	}
	for entry, err := range c.dirty.Between(ctx, o.Move.Dirty, c.x.Op.Progress.Applied, o.Epoch) {
		if err != nil {
			return nil, false, err
		}
		ids, doubt = append(ids, entry.ID), doubt || entry.Doubt
	}
	return ids, doubt, nil
}

// putOff leaves documents to the next round by recording them as a writer would.
func (c *catchUp) putOff(ctx context.Context, ids []bson.RawValue) error {
	if len(ids) == 0 {
		return nil
	}
	o, err := c.record.get(ctx)
	if err != nil {
		return err
	}
	if o.Move == nil {
		return master.ErrLeaseLost
	}
	return c.dirty.Record(ctx, o.Move.Dirty, o.Epoch, false, ids...)
}
