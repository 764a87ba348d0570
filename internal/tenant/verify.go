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
	for pair, err := range sideBySide(ctx, r.source(), r.target()) {
		if err != nil {
			return faults, err
		}
		if err := r.keep(ctx); err != nil {
			return faults, err
		}
		if bytes.Equal(pair.source, pair.target) {
			continue
		}
		// The write came before the mark in neither case: writers record first.
		explained, err := r.isDirty(ctx, o.Move.Dirty, o.Epoch, pair.id())
		if err != nil {
			return faults, err
		}
		if explained {
			continue
		}
		faults++
		if err := r.mend(ctx, pair); err != nil {
			return faults, err
		}
	}
	return faults, nil
}

// mend copies one document again. When another is in its way, that one differs
// as well, and the next pass comes back to this one.
func (r *run) mend(ctx context.Context, p couple) error {
	_, err := r.supplant(ctx, p.id(), p.target, p.source)
	return err
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

// sideBySide walks two collections in the order of _id, in bounded memory.
func sideBySide(ctx context.Context, a, b docdb.Collection) iter.Seq2[couple, error] {
	return func(yield func(couple, error) bool) {
		nextA, stopA := walk(ctx, a)
		defer stopA()
		nextB, stopB := walk(ctx, b)
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

// walk pulls a collection's documents, reading ahead.
func walk(ctx context.Context, c docdb.Collection) (func() (bson.Raw, error, bool), func()) {
	return iter.Pull2(func(yield func(bson.Raw, error) bool) {
		for batch, err := range ahead(ctx, batches(c, docdb.Query{})) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, doc := range batch {
				if !yield(doc, nil) {
					return
				}
			}
		}
	})
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
