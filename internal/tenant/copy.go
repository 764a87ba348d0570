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
	read := ahead(ctx, batches(r.source(), q))
	defer read.stop()
	for batch, err := range read.all() {
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

// readAhead is what a query finds, read one piece ahead of whoever takes it.
type readAhead[T any] struct {
	pieces chan piece[T]
	cancel context.CancelFunc
	ctx    context.Context
}

type piece[T any] struct {
	v   T
	err error
}

// ahead begins to read at once. stop must be called.
func ahead[T any](ctx context.Context, seq func(context.Context) iter.Seq2[T, error]) *readAhead[T] {
	r := &readAhead[T]{pieces: make(chan piece[T])}
	r.ctx, r.cancel = context.WithCancel(ctx)
	go func() {
		defer close(r.pieces)
		for v, err := range seq(r.ctx) {
			select {
			case r.pieces <- piece[T]{v, err}:
			case <-r.ctx.Done():
				return
			}
		}
	}()
	return r
}

// stop returns when the reader has ended.
func (r *readAhead[T]) stop() {
	r.cancel()
	for range r.pieces {
	}
}

// all yields the pieces.
func (r *readAhead[T]) all() iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for p := range r.pieces {
			if !yield(p.v, p.err) {
				return
			}
		}
		if err := r.ctx.Err(); err != nil {
			var none T
			yield(none, err)
		}
	}
}

// each yields the single documents of pieces.
func each(pieces iter.Seq2[[]bson.Raw, error]) iter.Seq2[bson.Raw, error] {
	return func(yield func(bson.Raw, error) bool) {
		for batch, err := range pieces {
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
