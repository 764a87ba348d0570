package move

import (
	"bytes"
	"context"
	"log/slog"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
	"github.com/orgd/orgd/internal/tenant/walk"
)

// verifyPasses bounds how often Verify repairs differences. Only writers that bypass orgd can make a
// second pass differ.
const verifyPasses = 5

// A Verifier verifies that a move's target has the documents of the source.
type Verifier interface {
	Verify(ctx context.Context, m *Move) error
}

// Comparison is the Verifier that compares source and target.
type Comparison struct{}

// Verify implements Verifier.
func (Comparison) Verify(ctx context.Context, m *Move) error { return m.verification.run(ctx) }

// Verify compares the target with the source.
func (m *Move) Verify(ctx context.Context) error { return m.mover.Verifier.Verify(ctx, m) }

// verification compares the target of a move with the source.
type verification struct {
	x           *operation.Execution
	record      *record
	collections *collections
	dirty       access.DirtySets
	logger      *slog.Logger
}

// run walks source and target side by side while clients write. The dirty set must explain every
// difference; a difference that it does not explain is repaired and counted, and all is walked again. If
// the source keeps changing outside the dirty set, the update is refused.
func (v *verification) run(ctx context.Context) error {
	for range verifyPasses {
		faults, err := v.compare(ctx)
		if err != nil {
			return err
		}
		if faults == 0 {
			return nil
		}
		v.x.Op.Progress.Mended += faults
		v.logger.WarnContext(ctx, "copy differed from its source and was repaired", "operation_id", v.x.Op.ID,
			"org_id", v.x.Op.OrgID, "documents", faults)
	}
	return org.Errorf(org.Unavailable, "The data did not hold still while it was copied: something writes to the collection directly. Nothing was changed.")
}

// compare makes the target equal to the source, but for differences that the dirty set explains, and
// returns how many documents differed otherwise.
func (v *verification) compare(ctx context.Context) (faults int64, err error) {
	o, err := v.record.get(ctx)
	if err != nil {
		return 0, err
	}
	if o.Move == nil || o.Operation != v.x.Op.ID {
		return 0, master.ErrLeaseLost
	}
	var differ []bson.RawValue
	settle := func() error {
		n, err := v.settleDifferences(ctx, o, differ)
		faults, differ = faults+n, differ[:0]
		return err
	}
	for pair, err := range walk.Pairs(ctx, v.collections.source(), v.collections.target(), docdb.Query{}) {
		if err == nil {
			err = v.x.Heartbeat(ctx)
		}
		if err != nil {
			return faults, err
		}
		if bytes.Equal(pair.Source, pair.Target) {
			continue
		}
		if differ = append(differ, pair.ID()); len(differ) == applyBatch {
			if err := settle(); err != nil {
				return faults, err
			}
		}
	}
	return faults, settle()
}

// settleDifferences copies the documents again whose difference the dirty set does not explain, and
// returns how many those are. No write comes before its entry in the dirty set, since writers record
// first. A document whose unique key is taken differs again in the next pass.
func (v *verification) settleDifferences(ctx context.Context, o *master.Organization, ids []bson.RawValue) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	recorded, err := v.dirty.Among(ctx, o.Move.Dirty, o.Epoch, ids)
	if err != nil {
		return 0, err
	}
	var faults []bson.RawValue
	for _, id := range ids {
		if !recorded[access.DirtyKey(o.Epoch, id)] {
			faults = append(faults, id)
		}
	}
	_, err = v.collections.syncAll(ctx, faults)
	return int64(len(faults)), err
}
