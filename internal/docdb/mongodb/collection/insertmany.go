package collection

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb/outcome"
)

// Limits of InsertMany, as docdb.Collection states them.
const (
	maxBulkDocuments = 1000
	maxBulkBytes     = 48 << 20
)

// InsertMany implements docdb.Collection with one unordered insert, which the driver cuts into
// messages that the server accepts. Documents that break a rule of docdb are not sent, and get
// their errors like those that the server refuses. If the server's answer to one document leaves
// its outcome open, the outcome of the whole call is unknown.
func (c *Collection) InsertMany(ctx context.Context, docs []bson.Raw) ([]error, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	size := 0
	for _, doc := range docs {
		size += len(doc)
	}
	what := "insert many into " + c.Namespace
	if len(docs) > maxBulkDocuments || size > maxBulkBytes {
		return nil, &outcome.Error{Kind: docdb.ErrTooLarge, Text: fmt.Sprintf("%s: %d documents of %d bytes, the limits are %d and %d",
			what, len(docs), size, maxBulkDocuments, maxBulkBytes)}
	}
	b := bulk{c: c, what: what, docs: docs, errs: make([]error, len(docs))}
	for i, doc := range docs {
		if b.errs[i] = docdb.Validate(doc); b.errs[i] == nil {
			b.todo = append(b.todo, i)
		}
	}
	if err := c.shared.calls.Write(ctx, what, b.run); err != nil {
		return nil, err
	}
	return b.errs, nil
}

// bulk is an InsertMany in progress.
type bulk struct {
	c    *Collection
	what string
	docs []bson.Raw
	errs []error // the outcome of each document
	todo []int   // the positions still to be inserted
}

// run inserts the documents, and retries those that conflicted with other writes.
func (b *bulk) run(ctx context.Context) error {
	for try := 1; len(b.todo) > 0; try++ {
		conflicts, err := b.insert(ctx)
		if err != nil {
			return err
		}
		if len(conflicts) > 0 && (try == outcome.MaxTries || !outcome.Pause(ctx, try)) {
			return nil // their errors say ErrUnavailable
		}
		b.todo = conflicts
	}
	return nil
}

// insert sends the documents that are to be inserted, sets the error of each, and returns the
// positions of those that conflicted.
func (b *bulk) insert(ctx context.Context) (conflicts []int, err error) {
	docs := make([]bson.Raw, len(b.todo))
	for i, at := range b.todo {
		docs[i], b.errs[at] = b.docs[at], nil
	}
	_, err = b.c.coll.InsertMany(ctx, docs, options.InsertMany().SetOrdered(false))
	var failed mongo.BulkWriteException
	switch {
	case err == nil:
		return nil, nil
	case !errors.As(err, &failed):
		return nil, b.cutShort(ctx, err)
	case failed.WriteConcernError != nil:
		return nil, mongo.WriteException{WriteConcernError: failed.WriteConcernError, Labels: failed.Labels}
	}
	names := b.c.newNamer(ctx)
	for _, we := range failed.WriteErrors {
		if we.Index < 0 || we.Index >= len(b.todo) {
			return nil, fmt.Errorf("the server names position %d of %d", we.Index, len(b.todo))
		}
		at := b.todo[we.Index]
		b.errs[at] = b.fault(names, at, we.WriteError)
		// A lost attempt of this call may be the one that took the key.
		if outcome.AttemptsOf(ctx).Lost && outcome.IsDuplicate(we.Code) || !docdb.NothingDone(b.errs[at]) {
			return nil, b.errs[at]
		}
		if outcome.IsConflict(we.Code) {
			conflicts = append(conflicts, at)
		}
	}
	return conflicts, nil
}

// cutShort returns the error of a message that failed as a whole. If an earlier message of the call
// was answered, the outcome of the call is unknown: the error is true of a part of the documents only.
func (b *bulk) cutShort(ctx context.Context, err error) error {
	if !outcome.AttemptsOf(ctx).Answered {
		return err
	}
	return &outcome.Error{Kind: docdb.ErrOutcomeUnknown, Text: b.c.shared.calls.Errors.Describe(b.what, err)}
}

// Error is the error of one document.
func (b *bulk) fault(names *namer, at int, we mongo.WriteError) error {
	if outcome.IsDuplicate(we.Code) {
		return names.name(b.docs[at], we.Raw)
	}
	return b.c.shared.calls.Errors.Document(b.what, we)
}
