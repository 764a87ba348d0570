package mongodb

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/orgd/orgd/internal/docdb"
)

// Limits of InsertMany, as docdb.Collection states them.
const (
	maxBulkDocuments = 1000
	maxBulkBytes     = 48 << 20
)

// InsertMany implements docdb.Collection with one unordered insert, which the
// driver cuts into messages the server takes. Documents that break a rule are
// not sent and get their error like those that the server refuses. Where the server's
// answer to one document leaves its outcome open, so it does that of the call.
func (c *collection) InsertMany(ctx context.Context, docs []bson.Raw) ([]error, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	size := 0
	for _, doc := range docs {
		size += len(doc)
	}
	what := "insert many into " + c.ns
	if len(docs) > maxBulkDocuments || size > maxBulkBytes {
		return nil, &fault{is: docdb.ErrTooLarge, text: fmt.Sprintf("%s: %d documents of %d bytes, the limits are %d and %d",
			what, len(docs), size, maxBulkDocuments, maxBulkBytes)}
	}
	b := bulk{c: c, what: what, docs: docs, errs: make([]error, len(docs))}
	for i, doc := range docs {
		if b.errs[i] = docdb.Validate(doc); b.errs[i] == nil {
			b.todo = append(b.todo, i)
		}
	}
	if err := c.engine().write(ctx, what, b.run); err != nil {
		return nil, err
	}
	return b.errs, nil
}

// bulk is one InsertMany under way.
type bulk struct {
	c    *collection
	what string
	docs []bson.Raw
	errs []error // what became of each document
	todo []int   // the positions still to be inserted
}

// run inserts, and again what was refused because of a write under way.
func (b *bulk) run(ctx context.Context) error {
	for try := 1; len(b.todo) > 0; try++ {
		conflicts, err := b.insert(ctx)
		if err != nil {
			return err
		}
		if len(conflicts) > 0 && (try == conflictTries || !pause(ctx, try)) {
			return nil // their errors say ErrUnavailable
		}
		b.todo = conflicts
	}
	return nil
}

// insert sends what is to be done, notes each document's error and returns the
// positions that conflicted.
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
		// A key that is taken may have been taken by an attempt of ours that was lost.
		if attemptsOf(ctx).lost && duplicateCodes[we.Code] || !docdb.NothingDone(b.errs[at]) {
			return nil, b.errs[at]
		}
		if conflictCodes[we.Code] {
			conflicts = append(conflicts, at)
		}
	}
	return conflicts, nil
}

// cutShort is the error of a message that failed as a whole. When another one went before
// it, whatever it says is true of a part of the documents only.
func (b *bulk) cutShort(ctx context.Context, err error) error {
	if !attemptsOf(ctx).answered {
		return err
	}
	return &fault{is: docdb.ErrOutcomeUnknown, text: b.c.engine().describe(b.what, err)}
}

// fault is the error of one document.
func (b *bulk) fault(names *namer, at int, we mongo.WriteError) error {
	if duplicateCodes[we.Code] {
		return names.name(b.docs[at], we.Raw)
	}
	err := mongo.WriteException{WriteErrors: mongo.WriteErrors{we}}
	return &fault{is: writeSentinel(err, true), text: b.c.engine().describe(b.what, err)}
}
