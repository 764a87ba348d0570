package data

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/document"
	"github.com/orgd/orgd/internal/tenant/retry"
)

// MaxBatch is how many documents, and MaxBatchBytes about how many bytes, InsertMany takes at a time.
const (
	MaxBatch      = 1000
	MaxBatchBytes = 16 << 20
)

// InsertMany adds documents independently of each other. It returns for each the error that Insert
// would return, nil if it was added, and an error for all if no result is known.
func (d *Documents) InsertMany(ctx context.Context, bodies []bson.Raw) ([]error, error) {
	docs, ids := make([]bson.Raw, len(bodies)), make([]bson.RawValue, len(bodies))
	for i, body := range bodies {
		ids[i] = docdb.ID(body)
		docs[i] = document.Stored(ids[i], body, bson.NewObjectID())
	}
	var results []error
	err := d.at.Write(ctx, ids, func(ctx context.Context, c docdb.Collection) (err error) {
		results, err = insertMany(ctx, c, docs)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, result := range results {
		if result != nil {
			results[i] = refusedWrite(result)
		}
	}
	return results, nil
}

// insertMany looks for the documents if no answer came. It does not send them again: a late message
// would bring back documents that clients have deleted since.
func insertMany(ctx context.Context, c docdb.Collection, docs []bson.Raw) (results []error, err error) {
	sent := false
	err = retry.Do(ctx, func() (err error) {
		if !sent {
			results, err = c.InsertMany(ctx, docs)
			sent = errors.Is(err, docdb.ErrOutcomeUnknown)
			return err
		}
		results, err = allThere(context.WithoutCancel(ctx), c, docs)
		return err
	})
	if sent && err != nil && !errors.Is(err, docdb.ErrOutcomeUnknown) {
		err = errors.Join(docdb.ErrOutcomeUnknown, err)
	}
	return results, err
}

// allThere returns docdb.ErrOutcomeUnknown unless every document was added, which the revisions tell.
// A missing document may have been refused, or may be added later.
func allThere(ctx context.Context, c docdb.Collection, docs []bson.Raw) ([]error, error) {
	for _, doc := range docs {
		there, err := lookUp(ctx, c, docdb.ID(doc))
		if err != nil {
			return nil, err
		}
		if rev, _ := document.RevisionOf(doc); there == nil || there.Revision != rev {
			return nil, docdb.ErrOutcomeUnknown
		}
	}
	return make([]error, len(docs)), nil
}
