package data

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/master"
)

// limited is a collection with a quota, for one write; it is not safe for concurrent use. It counts
// what a write adds before the write, so that racing writes do not exceed the quota together, and
// what a write frees after it.
type limited struct {
	docdb.Collection
	quota *master.Quota
	usage *usage
	sizes map[string]int64 // of the documents that were read, by _id
	// lost is called when the effect of a write is not known.
	lost func()
	// unsure: the storage cannot tell how much a document takes in indexes, though it can
	// for others.
	unsure bool
}

// sizeOf returns the size of a document, with its size in indexes if the storage can tell.
func (l *limited) sizeOf(ctx context.Context, doc bson.Raw) int64 {
	sizer, ok := l.Collection.(docdb.IndexSizer)
	if !ok {
		return int64(len(doc))
	}
	n, err := sizer.IndexSize(ctx, doc)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		l.unsure = true // the engine will refuse a new document; after a change of an old one the usage is counted again
	}
	return int64(len(doc)) + n
}

// Get implements docdb.Collection.
func (l *limited) Get(ctx context.Context, id bson.RawValue) (bson.Raw, error) {
	raw, err := l.Collection.Get(ctx, id)
	if err == nil {
		l.sizes[id.String()] = l.sizeOf(ctx, raw)
	}
	return raw, err
}

// Insert implements docdb.Collection.
func (l *limited) Insert(ctx context.Context, doc bson.Raw) error {
	return l.do(1, l.sizeOf(ctx, doc), func() error { return l.Collection.Insert(ctx, doc) })
}

// Replace implements docdb.Collection.
func (l *limited) Replace(ctx context.Context, id bson.RawValue, when docdb.Filter, doc bson.Raw) error {
	was, err := l.size(ctx, id)
	if err != nil {
		return err
	}
	return l.do(0, l.sizeOf(ctx, doc)-was, func() error { return l.Collection.Replace(ctx, id, when, doc) })
}

// Delete implements docdb.Collection.
func (l *limited) Delete(ctx context.Context, id bson.RawValue, when docdb.Filter) error {
	was, err := l.size(ctx, id)
	if err != nil {
		return err
	}
	return l.do(-1, -was, func() error { return l.Collection.Delete(ctx, id, when) })
}

// size returns the size of the document as it was last read, to which the condition of the write
// refers.
func (l *limited) size(ctx context.Context, id bson.RawValue) (int64, error) {
	if n, ok := l.sizes[id.String()]; ok {
		return n, nil
	}
	_, err := l.Get(ctx, id)
	if errors.Is(err, docdb.ErrNotFound) {
		return 0, docdb.ErrNoMatch
	}
	return l.sizes[id.String()], err
}

// InsertMany implements docdb.Collection. It adds the documents for which there is room.
func (l *limited) InsertMany(ctx context.Context, docs []bson.Raw) ([]error, error) {
	results := make([]error, len(docs))
	var fit []bson.Raw
	var at []int
	var sizes []int64
	for i, doc := range docs {
		size := l.sizeOf(ctx, doc)
		if results[i] = l.usage.take(l.quota, 1, size); results[i] == nil {
			fit, at, sizes = append(fit, doc), append(at, i), append(sizes, size)
		}
	}
	if len(fit) == 0 {
		return results, nil
	}
	some, err := l.Collection.InsertMany(ctx, fit)
	if err != nil {
		l.lost() // any of them may be there
		return nil, err
	}
	for i, err := range some {
		results[at[i]] = err
		l.settle(1, sizes[i], err)
	}
	return results, nil
}

// do runs a write and counts it.
func (l *limited) do(documents, bytes int64, write func() error) error {
	if err := l.usage.take(l.quota, max(documents, 0), max(bytes, 0)); err != nil {
		return err
	}
	err := write()
	l.settle(max(documents, 0), max(bytes, 0), err)
	if err == nil {
		l.usage.give(max(-documents, 0), max(-bytes, 0))
	}
	if err == nil && l.unsure {
		l.lost()
	}
	return err
}

// settle gives back the room that a write has not taken.
func (l *limited) settle(documents, bytes int64, err error) {
	for _, nothingDone := range []error{docdb.ErrDuplicate, docdb.ErrNoMatch, docdb.ErrInvalid, docdb.ErrTooLarge, docdb.ErrUnavailable} {
		if errors.Is(err, nothingDone) {
			l.usage.give(documents, bytes)
			return
		}
	}
	if err != nil {
		l.lost()
	}
}
