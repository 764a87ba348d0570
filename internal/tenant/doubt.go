package tenant

import (
	"context"
	"errors"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// A write that the storage gave no answer to may be carried out any time later. In a
// target it could bring back what clients have deleted or changed since, when that is
// the organization's collection. So a target that such a write went to is never flipped
// to: the move goes on in a fresh one.

// target is a move's target as its owner writes to it.
type target struct {
	docdb.Collection
	doubt *atomic.Bool
}

func (r *run) target() docdb.Collection {
	return target{r.tenant.Collection(r.op.Plan.Target), &r.doubt}
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

// doubtless notes whether a write's outcome is not known.
func doubtless(doubt *atomic.Bool, err error) error {
	if indefinite(err) {
		doubt.Store(true)
	}
	return err
}

// indefinite reports whether an engine's answer to a write leaves open whether it was, or
// will be, carried out.
func indefinite(err error) bool {
	if err == nil || errors.Is(err, docdb.ErrOutcomeUnknown) {
		return err != nil
	}
	for _, is := range []error{
		docdb.ErrDuplicate, docdb.ErrNoMatch, docdb.ErrInvalid, docdb.ErrTooLarge, docdb.ErrUnavailable,
		docdb.ErrExists, docdb.ErrNoCollection, docdb.ErrNotFound, docdb.ErrClosed,
	} {
		if errors.Is(err, is) {
			return false
		}
	}
	return true
}

// doubtful reports whether the target may not be flipped to.
func (r *run) doubtful() bool { return r.doubt.Load() && !r.cfg.skip.fresh }

// freshStarts is how often a move begins anew before it is given up.
const freshStarts = 5

// startOver goes on in a fresh target, as a new owner would.
func (r *run) startOver(ctx context.Context) error {
	if r.starts++; r.starts > freshStarts {
		return r.refuse(ctx, org.Errorf(org.Unavailable, "The storage gave no answer to too many writes. Nothing was changed. Try again later."))
	}
	r.cfg.Logger.WarnContext(ctx, "a write to the new collection got no answer, so the copy begins anew", "operation", r.op.ID,
		"organization", r.op.OrgID, "step", r.op.Step)
	if err := r.mark(ctx, func(op *operation) { op.Lease.Fence++ }); err != nil {
		return err
	}
	if err := r.takeOrganization(ctx, false); err != nil {
		return err
	}
	r.doubt.Store(false)
	return nil
}
