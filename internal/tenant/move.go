package tenant

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// What a copy holds in memory at a time, and how often it says how far it is.
const (
	copyDocuments = 500
	copyBytes     = 8 << 20
	copyMarkEvery = time.Second
)

// claimNext claims the collection that the data moves to.
func (r *run) claimNext(ctx context.Context) (err error) {
	p := &r.op.Plan
	key := p.NameKey
	if key == "" {
		key = p.OldNameKey
	}
	p.Target, err = r.claim(ctx, org.Name{Key: key}.Slug(), p.Generation)
	return err
}

// buildNext creates the target with the source's indexes.
func (r *run) buildNext(ctx context.Context) error {
	if err := r.build(ctx); err != nil {
		return err
	}
	return r.tenant.CarryIndexes(ctx, r.op.Plan.Source, r.op.Plan.Target)
}

// copy fills the target in the order of _id, from where an earlier try got to.
// Documents that are there already are an earlier try's; verify looks at them.
func (r *run) copy(ctx context.Context) error {
	q := docdb.Query{}
	if last := r.op.Progress.Last; last != nil {
		q.After = &docdb.Position{ID: docdb.ID(last)}
	}
	var batch []bson.Raw
	size := 0
	marked := r.now()
	for doc, err := range r.tenant.Collection(r.op.Plan.Source).Find(ctx, q) {
		if err != nil {
			return err
		}
		batch, size = append(batch, doc), size+len(doc)
		if len(batch) < copyDocuments && size < copyBytes {
			continue
		}
		if err := r.paste(ctx, batch); err != nil {
			return err
		}
		if r.now().Sub(marked) >= copyMarkEvery {
			if err := r.mark(ctx, func(*operation) {}); err != nil {
				return err
			}
			marked = r.now()
		}
		batch, size = nil, 0
	}
	return r.paste(ctx, batch)
}

// paste inserts a batch and notes how far the copy is.
func (r *run) paste(ctx context.Context, batch []bson.Raw) error {
	if len(batch) == 0 {
		return nil
	}
	results, err := r.tenant.Collection(r.op.Plan.Target).InsertMany(ctx, batch)
	if err != nil {
		return err
	}
	for i, err := range results {
		if err != nil && !errors.Is(err, docdb.ErrDuplicate) { // another's unique key: verify sorts it out
			return unmovable(batch[i], err)
		}
	}
	last, err := bson.Marshal(bson.D{{Key: "_id", Value: docdb.ID(batch[len(batch)-1])}})
	if err != nil {
		return err
	}
	r.op.Progress = progress{Copied: r.op.Progress.Copied + int64(len(batch)), Last: last}
	return nil
}

// unmovable refuses the move of a document that the engine would not write. A
// compatible server or a writer that bypasses orgd may take more than docdb does, and
// to try it again would never end.
func unmovable(doc bson.Raw, err error) error {
	if !errors.Is(err, docdb.ErrInvalid) && !errors.Is(err, docdb.ErrTooLarge) {
		return err
	}
	return &org.Error{Kind: org.Invalid, Err: err, Message: fmt.Sprintf("The data cannot be moved: the document with the _id %s "+
		"has a form that orgd does not write, such as an empty name or one that begins with $. "+
		"Change it, or update with migrate: false. Nothing was changed.", shortID(doc))}
}

// shortID is a document's _id, which may have megabytes, for a message.
func shortID(doc bson.Raw) string {
	const most = 200
	text := docdb.ID(doc).String()
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// verifyPasses bounds how often verify mends what it finds different. Only
// writers that bypass orgd can make a second pass differ.
const verifyPasses = 5

// verify walks source and target side by side and mends every difference, until
// there is none. A source that does not hold still is left as it is: the update
// is refused.
func (r *run) verify(ctx context.Context) error {
	for range verifyPasses {
		mended, err := r.mend(ctx)
		if err != nil {
			return err
		}
		if mended == 0 {
			return nil
		}
		r.cfg.Logger.WarnContext(ctx, "copy differed from its source and was mended", "operation", r.op.ID, "documents", mended)
	}
	return org.Errorf(org.Unavailable, "The data did not hold still while it was copied: something writes to the collection directly. Nothing was changed.")
}

// mend makes the target equal to the source, and returns how many documents
// differed. It extends the lease while it walks.
func (r *run) mend(ctx context.Context) (mended int64, err error) {
	target := r.tenant.Collection(r.op.Plan.Target)
	marked := r.now()
	for pair, err := range sideBySide(ctx, r.tenant.Collection(r.op.Plan.Source), target) {
		if err != nil {
			return mended, err
		}
		if r.now().Sub(marked) >= copyMarkEvery {
			if err := r.mark(ctx, func(*operation) {}); err != nil {
				return mended, err
			}
			marked = r.now()
		}
		if bytes.Equal(pair.source, pair.target) {
			continue
		}
		mended++
		if err := pair.mend(ctx, target); err != nil {
			return mended, err
		}
	}
	return mended, nil
}

// A couple is a document of the source and the target's of the same _id; one of
// them may be missing.
type couple struct{ source, target bson.Raw }

// mend puts the source's document, or its absence, in the target's place. The
// two _ids may be equal and not the same, as 1 and 1.0 are.
func (p couple) mend(ctx context.Context, target docdb.Collection) error {
	if p.target != nil {
		err := target.Delete(ctx, docdb.ID(p.target), docdb.Filter{})
		if err != nil && !errors.Is(err, docdb.ErrNoMatch) {
			return err
		}
	}
	if p.source == nil {
		return nil
	}
	err := target.Insert(ctx, p.source)
	if errors.Is(err, docdb.ErrDuplicate) {
		return nil // a document further on still has the unique key: the next pass mends it
	}
	if err != nil {
		return unmovable(p.source, err)
	}
	return nil
}

// sideBySide walks two collections in the order of _id, in bounded memory.
func sideBySide(ctx context.Context, a, b docdb.Collection) iter.Seq2[couple, error] {
	return func(yield func(couple, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		nextA, stopA := iter.Pull2(a.Find(ctx, docdb.Query{}))
		defer stopA()
		nextB, stopB := iter.Pull2(b.Find(ctx, docdb.Query{}))
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

// retireSource drops the collection that the data came from.
func (r *run) retireSource(ctx context.Context) error {
	c, err := r.collections.get(ctx, r.op.Plan.Source)
	if errors.Is(err, docdb.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if c.OrgID != r.op.OrgID {
		return nil // a later organization's: ours is gone already
	}
	return r.retire(ctx, c)
}
