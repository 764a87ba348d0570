package mongodb

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// A batcher makes one call of what many ask for of one collection at the same time. Who
// comes first goes at once and alone; who comes while a call is under way waits for its
// end, and goes with all who wait. So a lone call is as quick as ever, and the more there
// are the less each costs the server: one message and, for writes, one wait for the
// journal and the majority. It is the group commit of databases, before one. Two
// calls at a time, or a pause between them, made it slower.
//
// What is answered is as if each had gone for itself: a batch begins after it was asked for.
type batcher[Q, A any] struct {
	writes bool // a call that has gone in a batch waits for its answer, or for a deadline

	mu     sync.Mutex
	queues map[string]*queue[Q, A] // by namespace, where a call is under way
}

const (
	// A batch ends with the one that brings it to either of these.
	maxBatch      = 64
	maxBatchBytes = 256 << 10
	// maxWait is how long a call may keep others waiting: one that hangs must not
	// hold up a whole collection.
	maxWait = 100 * time.Millisecond
	// maxBatched is the size of a document that does not keep others waiting.
	maxBatched = 64 << 10
)

// A queue is who waits for the next call on a collection.
type queue[Q, A any] struct {
	waiting []*asked[Q, A]
}

// asked is one caller's part of a batch.
type asked[Q, A any] struct {
	q    Q
	size int
	done chan struct{} // closed when a and err are there
	a    A
	err  error
}

// Errors of who does not wait for its batch any more.
var (
	errNotBegun = errors.New("nothing was sent")
	errBegun    = errors.New("the answer was not waited for")
)

// do asks q, of that many bytes: alone, or by together with others that ask.
// When ctx ends before there is an answer it is errNotBegun or errBegun; of what writes,
// errBegun only when its deadline has passed.
func (b *batcher[Q, A]) do(ctx context.Context, ns string, q Q, size int, alone func() (A, error), together func([]*asked[Q, A])) (A, error) {
	b.mu.Lock()
	l := b.queues[ns]
	if l == nil {
		if b.queues == nil {
			b.queues = map[string]*queue[Q, A]{}
		}
		l = &queue[Q, A]{}
		b.queues[ns] = l
		b.mu.Unlock()
		defer b.after(ns, l, together)
		return alone()
	}
	x := &asked[Q, A]{q: q, size: size, done: make(chan struct{})}
	l.waiting = append(l.waiting, x)
	b.mu.Unlock()
	return b.wait(ctx, l, x, alone)
}

func (b *batcher[Q, A]) wait(ctx context.Context, l *queue[Q, A], x *asked[Q, A], alone func() (A, error)) (A, error) {
	patience := time.NewTimer(maxWait)
	defer patience.Stop()
	for {
		var none A
		select {
		case <-x.done:
			return x.a, x.err
		case <-patience.C:
			if b.withdraw(l, x) {
				return alone()
			}
		case <-ctx.Done():
			if b.withdraw(l, x) {
				return none, errNotBegun
			}
			return b.waitOn(ctx, x)
		}
	}
}

// waitOn is wait for a batch that has begun, when ctx has ended.
func (b *batcher[Q, A]) waitOn(ctx context.Context, x *asked[Q, A]) (A, error) {
	if b.writes {
		var cancel context.CancelFunc
		ctx, cancel = followed(ctx)
		defer cancel()
	}
	select {
	case <-x.done:
		return x.a, x.err
	case <-ctx.Done():
		var none A
		return none, errBegun
	}
}

// withdraw takes a call that waits out of the queue; it reports false if that is too late.
func (b *batcher[Q, A]) withdraw(l *queue[Q, A], x *asked[Q, A]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := slices.Index(l.waiting, x)
	if at < 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, at, at+1)
	return true
}

// after lets those who wait go, when a call has ended.
func (b *batcher[Q, A]) after(ns string, l *queue[Q, A], together func([]*asked[Q, A])) {
	if next := b.next(ns, l); len(next) > 0 {
		go func() {
			for ; len(next) > 0; next = b.next(ns, l) {
				together(next)
				for _, x := range next {
					close(x.done)
				}
			}
		}()
	}
}

// next takes the next batch out of the queue; empty when no call waits.
func (b *batcher[Q, A]) next(ns string, l *queue[Q, A]) []*asked[Q, A] {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, size := 0, 0
	for n < len(l.waiting) && n < maxBatch && size < maxBatchBytes {
		size += l.waiting[n].size
		n++
	}
	batch := slices.Clone(l.waiting[:n])
	l.waiting = slices.Delete(l.waiting, 0, n)
	if n == 0 {
		delete(b.queues, ns)
	}
	return batch
}

// insertBatch inserts the documents of a batch.
func (c *collection) insertBatch(batch []*asked[bson.Raw, struct{}]) {
	docs := make([]bson.Raw, len(batch))
	for i, x := range batch {
		docs[i] = x.q
	}
	errs, err := c.InsertMany(context.Background(), docs)
	for i, x := range batch {
		if x.err = err; err == nil {
			x.err = errs[i]
		}
	}
}

// getBatch reads the documents of a batch.
func (c *collection) getBatch(batch []*asked[bson.RawValue, bson.Raw]) {
	ids := make(bson.A, len(batch))
	for i, x := range batch {
		ids[i] = x.q
	}
	var docs []bson.Raw
	err := c.engine().read(context.Background(), "get from "+c.ns, func(ctx context.Context) error {
		docs = nil
		cursor, err := c.coll.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
		if err != nil {
			return err
		}
		return cursor.All(ctx, &docs)
	})
	for _, x := range batch {
		if x.err = err; err == nil {
			x.a, x.err = pick(docs, x.q)
		}
	}
}

// pick finds the document with that _id.
func pick(docs []bson.Raw, id bson.RawValue) (bson.Raw, error) {
	for _, doc := range docs {
		if docdb.Compare(docdb.ID(doc), id) == 0 {
			return slices.Clone(doc), nil
		}
	}
	return nil, docdb.ErrNotFound
}

// batchable reports whether documents of that _id may be asked for by $in: a regular
// expression there is a pattern.
func batchable(id bson.RawValue) bool {
	switch id.Type {
	case bson.TypeString, bson.TypeObjectID, bson.TypeInt32, bson.TypeInt64, bson.TypeBinary, bson.TypeDateTime:
		return true
	}
	return false
}
