// Package walk reads collections from one end to the other in bounded memory.
package walk

import (
	"context"
	"errors"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// A reading holds two batches in memory, one being read while one is used.
const (
	copyDocuments = 1000
	copyBytes     = 4 << 20
)

// Batches yields the documents of a query in batches that fit into one InsertMany.
func Batches(c docdb.Collection, q docdb.Query) func(context.Context) iter.Seq2[[]bson.Raw, error] {
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

// ReadAhead is a sequence that is read one element ahead of its user.
type ReadAhead[T any] struct {
	pieces chan piece[T]
	cancel context.CancelFunc
	ctx    context.Context
}

type piece[T any] struct {
	v   T
	err error
}

// Ahead begins to read at once. Stop must be called.
func Ahead[T any](ctx context.Context, seq func(context.Context) iter.Seq2[T, error]) *ReadAhead[T] {
	r := &ReadAhead[T]{pieces: make(chan piece[T])}
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

// Stop returns when the reader has ended.
func (r *ReadAhead[T]) Stop() {
	r.cancel()
	for range r.pieces {
	}
}

// All yields the elements.
func (r *ReadAhead[T]) All() iter.Seq2[T, error] {
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

// each yields the documents of batches.
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

// A Pair is the source's and the target's document of the same _id, of which one may be missing.
type Pair struct{ Source, Target bson.Raw }

// ID is the document's _id.
func (p Pair) ID() bson.RawValue {
	if p.Source != nil {
		return docdb.ID(p.Source)
	}
	return docdb.ID(p.Target)
}

// Pairs yields the documents of a query in two collections, paired by _id and in its order, in bounded
// memory.
func Pairs(ctx context.Context, a, b docdb.Collection, q docdb.Query) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		readA, readB := Ahead(ctx, Batches(a, q)), Ahead(ctx, Batches(b, q))
		defer readA.Stop()
		defer readB.Stop()
		nextA, stopA := iter.Pull2(each(readA.All()))
		defer stopA()
		nextB, stopB := iter.Pull2(each(readB.All()))
		defer stopB()
		docA, errA, okA := nextA()
		docB, errB, okB := nextB()
		for okA || okB {
			if err := errors.Join(errA, errB); err != nil {
				yield(Pair{}, err)
				return
			}
			c := order(docA, okA, docB, okB)
			var p Pair
			if c <= 0 {
				p.Source = docA
				docA, errA, okA = nextA()
			}
			if c >= 0 {
				p.Target = docB
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
