package move

import (
	"context"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
)

// A write that got no answer may be carried out any time later. In a target that has become the
// organization's collection, it could bring back documents that clients have deleted or changed since.
// So the move never flips to a target with such a write, but goes on in a fresh one.

// target is a move's target for the writes of the move's owner.
type target struct {
	docdb.Collection
	doubt *atomic.Bool
}

// DoubtfulTarget returns a move's target for the writes of the move's owner. It sets doubt when a write
// gets no answer.
func DoubtfulTarget(c docdb.Collection, doubt *atomic.Bool) docdb.Collection {
	return target{c, doubt}
}

// Insert implements docdb.Collection.
func (t target) Insert(ctx context.Context, doc bson.Raw) error {
	return doubtless(t.doubt, t.Collection.Insert(ctx, doc))
}

// InsertMany implements docdb.Collection.
func (t target) InsertMany(ctx context.Context, docs []bson.Raw) ([]error, error) {
	results, err := t.Collection.InsertMany(ctx, docs)
	return results, doubtless(t.doubt, err)
}

// Replace implements docdb.Collection.
func (t target) Replace(ctx context.Context, id bson.RawValue, when docdb.Filter, doc bson.Raw) error {
	return doubtless(t.doubt, t.Collection.Replace(ctx, id, when, doc))
}

// Delete implements docdb.Collection.
func (t target) Delete(ctx context.Context, id bson.RawValue, when docdb.Filter) error {
	return doubtless(t.doubt, t.Collection.Delete(ctx, id, when))
}

// doubtless sets doubt if a write's outcome is not known.
func doubtless(doubt *atomic.Bool, err error) error {
	if fault.Indefinite(err) {
		doubt.Store(true)
	}
	return err
}

// Doubtful reports whether the move may not flip to the target.
func (m *Move) Doubtful() bool { return m.collections.doubtful() }

// Guard runs a step, and makes the move begin anew after a write to the target that got no answer.
func (m *Move) Guard(step func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := step(ctx)
		if !m.Doubtful() {
			return err
		}
		if err := m.startOver(ctx); err != nil {
			return err
		}
		return operation.ErrRestarted
	}
}

// freshStarts is how often a move begins anew before it is refused.
const freshStarts = 5

// startOver goes on in a fresh target, as a new owner would.
func (m *Move) startOver(ctx context.Context) error {
	if m.starts++; m.starts > freshStarts {
		return m.x.Refuse(ctx, org.Errorf(org.Unavailable, "The storage gave no answer to too many writes. Nothing was changed. Try again later."))
	}
	m.mover.Logger.WarnContext(ctx, "a write to the new collection got no answer, so the copy begins anew", "operation_id", m.x.Op.ID,
		"org_id", m.x.Op.OrgID, "step", m.x.Op.Step)
	if err := m.x.Checkpoint(ctx, func(op *master.Operation) { op.Lease.Token++ }); err != nil {
		return err
	}
	if err := m.Acquired(ctx, false); err != nil {
		return err
	}
	m.collections.doubt.Store(false)
	return nil
}
