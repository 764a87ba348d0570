package tenant

import (
	"context"
	"errors"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// What a copy holds in memory: two batches, one being read while one is written.
const (
	copyDocuments = 1000
	copyBytes     = 4 << 20
)

// copy fills the target in the order of _id, from where an earlier try got to.
// What is written meanwhile is recorded, and brought up to date after it.
func (r *run) copy(ctx context.Context) error {
	if r.op.Progress.Last == nil {
		var total int64
		err := r.patiently(ctx, func(ctx context.Context) (err error) {
			total, err = r.source().Count(ctx, docdb.Filter{})
			return err
		})
		if err != nil {
			return err
		}
		r.op.Progress = progress{Total: total, Began: r.now()}
	}
	q := docdb.Query{}
	if last := r.op.Progress.Last; last != nil {
		q.After = &docdb.Position{ID: docdb.ID(last)}
	}
	for batch, err := range ahead(ctx, batches(r.source(), q)) {
		if err != nil {
			return err
		}
		if err := r.paste(ctx, batch); err != nil {
			return err
		}
		if err := r.keep(ctx); err != nil {
			return err
		}
	}
	return nil
}

// batches yields what a query finds in pieces that fit into one InsertMany.
func batches(c docdb.Collection, q docdb.Query) func(context.Context) iter.Seq2[[]bson.Raw, error] {
	return func(ctx context.Context) iter.Seq2[[]bson.Raw, error] {
		return func(yield func([]bson.Raw, error) bool) {
			var batch []bson.Raw
			size := 0
			for doc, err := range c.Find(ctx, q) {
				if err != nil {
					yield(nil, err)
					return
				}
				batch, size = append(batch, doc), size+len(doc)
				if len(batch) < copyDocuments && size < copyBytes {
					continue
				}
				if !yield(batch, nil) {
					return
				}
				batch, size = make([]bson.Raw, 0, copyDocuments), 0
			}
			if len(batch) > 0 {
				yield(batch, nil)
			}
		}
	}
}

// ahead reads one piece ahead of whoever takes them.
func ahead[T any](ctx context.Context, seq func(context.Context) iter.Seq2[T, error]) iter.Seq2[T, error] {
	type piece struct {
		v   T
		err error
	}
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		pieces := make(chan piece)
		go func() {
			defer close(pieces)
			for v, err := range seq(ctx) {
				select {
				case pieces <- piece{v, err}:
				case <-ctx.Done():
					return
				}
			}
		}()
		defer func() {
			cancel()
			for range pieces { // until the reader has ended
			}
		}()
		for p := range pieces {
			if !yield(p.v, p.err) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			var none T
			yield(none, err)
		}
	}
}

// paste inserts a batch and notes how far the copy is. A document whose unique key
// is held by an older version of another is left to the catch-up.
func (r *run) paste(ctx context.Context, batch []bson.Raw) error {
	results, err := r.target().InsertMany(ctx, batch)
	if err != nil {
		return err
	}
	var later []bson.RawValue
	size := 0
	for i, err := range results {
		size += len(batch[i])
		var dup *docdb.DuplicateError
		switch {
		case errors.As(err, &dup):
			if dup.Index != docdb.IDIndex { // else an earlier try's
				later = append(later, docdb.ID(batch[i]))
			}
		case err != nil:
			return unmovable(batch[i], err)
		}
	}
	if err := r.putOff(ctx, later); err != nil {
		return err
	}
	last, err := bson.Marshal(bson.D{{Key: "_id", Value: docdb.ID(batch[len(batch)-1])}})
	if err != nil {
		return err
	}
	p := &r.op.Progress
	p.Copied, p.Bytes, p.Last = p.Copied+int64(len(batch)), p.Bytes+int64(size), last
	return nil
}

// putOff leaves documents to the next round: it records them as a writer would.
func (r *run) putOff(ctx context.Context, ids []bson.RawValue) error {
	if len(ids) == 0 {
		return nil
	}
	o, err := r.organizations.get(ctx, r.op.OrgID)
	if err != nil {
		return err
	}
	if o.Move == nil {
		return errLeaseLost
	}
	return r.recordDirty(ctx, o.Move.Dirty, o.Epoch, ids...)
}
