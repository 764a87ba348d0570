package data

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/master"
)

// limited is a collection with a quota, for one write: it is not safe for concurrent
// use. What a write adds is counted before it, so that racing writes do not exceed the
// quota together; what a write frees is counted after it.
type limited struct {
	docdb.Collection
	quota *master.Quota
	usage *usage
	sizes map[string]int64 // of the documents that were looked at, by _id
	// lost is called when it is not known what a write has done.
	lost func()
	// unsure: the storage does not tell what a document has in indexes, though it can of
	// others.
	unsure bool
}

// sizeOf is what a document takes, with what the indexes hold of it where the storage tells.
func (l *limited) sizeOf(ctx context.Context, doc bson.Raw) int64 {
	sizer, ok := l.Collection.(docdb.IndexSizer)
	if !ok {
		return int64(len(doc))
	}
	n, err := sizer.IndexSize(ctx, doc)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		l.unsure = true // a new document will be refused; of an old one it is counted again
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

// size is that of the document as it was last looked at, which the condition of the
// write is about.
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

// InsertMany implements docdb.Collection. Those for which there is room are added.
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

// do counts a write.
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

// settle gives back what a write has not taken after all.
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
