package tenant

import (
	"bytes"
	"context"
	"errors"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// verifyPasses bounds how often verify mends what it finds different. Only
// writers that bypass orgd can make a second pass differ.
const verifyPasses = 5

// verify walks source and target side by side while clients write. A difference
// must be explained by the dirty set; one that is not is mended and counted, and
// all is walked again. A source that does not hold still is left as it is: the
// update is refused.
func (r *run) verify(ctx context.Context) error {
	for range verifyPasses {
		if r.cfg.skip.verify {
			return nil
		}
		faults, err := r.compare(ctx)
		if err != nil {
			return err
		}
		if faults == 0 {
			return nil
		}
		r.op.Progress.Mended += faults
		r.cfg.Logger.WarnContext(ctx, "copy differed from its source and was mended", "operation", r.op.ID,
			"organization", r.op.OrgID, "documents", faults)
	}
	return org.Errorf(org.Unavailable, "The data did not hold still while it was copied: something writes to the collection directly. Nothing was changed.")
}

// compare makes the target equal to the source, but for what the dirty set
// explains, and returns how many documents differed.
func (r *run) compare(ctx context.Context) (faults int64, err error) {
	o, err := r.organizations.get(ctx, r.op.OrgID)
	if err != nil {
		return 0, err
	}
	if o.Move == nil || o.Operation != r.op.ID {
		return 0, errLeaseLost
	}
	var differ []bson.RawValue
	settle := func() error {
		n, err := r.settleDifferences(ctx, o, differ)
		faults, differ = faults+n, differ[:0]
		return err
	}
	for pair, err := range pairs(ctx, r.source(), r.target(), docdb.Query{}) {
		if err == nil {
			err = r.keep(ctx)
		}
		if err != nil {
			return faults, err
		}
		if bytes.Equal(pair.source, pair.target) {
			continue
		}
		if differ = append(differ, pair.id()); len(differ) == applyBatch {
			if err := settle(); err != nil {
				return faults, err
			}
		}
	}
	return faults, settle()
}

// settleDifferences copies the documents again whose difference the dirty set does not
// explain, and returns how many those are. The write came before the mark in no case:
// writers record first. A document that another is in the way of differs in the next pass.
func (r *run) settleDifferences(ctx context.Context, o *organization, ids []bson.RawValue) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	recorded, err := r.dirtyAmong(ctx, o.Move.Dirty, o.Epoch, ids)
	if err != nil {
		return 0, err
	}
	var faults []bson.RawValue
	for _, id := range ids {
		if !recorded[dirtyKeyOf(o.Epoch, id)] {
			faults = append(faults, id)
		}
	}
	_, err = r.syncAll(ctx, faults)
	return int64(len(faults)), err
}

// A couple is a document of the source and the target's of the same _id; one of
// them may be missing.
type couple struct{ source, target bson.Raw }

func (p couple) id() bson.RawValue {
	if p.source != nil {
		return docdb.ID(p.source)
	}
	return docdb.ID(p.target)
}

// pairs walks what a query finds in two collections, side by side in the order of _id, in
// bounded memory.
func pairs(ctx context.Context, a, b docdb.Collection, q docdb.Query) iter.Seq2[couple, error] {
	return func(yield func(couple, error) bool) {
		readA, readB := ahead(ctx, batches(a, q)), ahead(ctx, batches(b, q))
		defer readA.stop()
		defer readB.stop()
		nextA, stopA := iter.Pull2(each(readA.all()))
		defer stopA()
		nextB, stopB := iter.Pull2(each(readB.all()))
		defer stopB()
		docA, errA, okA := nextA()
		docB, errB, okB := nextB()
		for okA || okB {
			if err := errors.Join(errA, errB); err != nil {
				yield(couple{}, err)
				return
			}
			c := order(docA, okA, docB, okB)
			var p couple
			if c <= 0 {
				p.source = docA
				docA, errA, okA = nextA()
			}
			if c >= 0 {
				p.target = docB
				docB, errB, okB = nextB()
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// order compares two positions, one of which may be past the end.
func order(a bson.Raw, okA bool, b bson.Raw, okB bool) int {
	switch {
	case !okB:
		return -1
	case !okA:
		return 1
	}
	return docdb.Compare(docdb.ID(a), docdb.ID(b))
}
