package tenant

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// MaxBatch is the most documents, and MaxBatchBytes about the most bytes, that
// InsertMany takes at a time.
const (
	MaxBatch      = 1000
	MaxBatchBytes = 16 << 20
)

// InsertMany adds documents independently of each other. It returns what became of
// each, as Insert would, nil for one that was added; and an error of its own when
// nothing is known of any.
func (d *Documents) InsertMany(ctx context.Context, bodies []bson.Raw) ([]error, error) {
	docs, ids := make([]bson.Raw, len(bodies)), make([]bson.RawValue, len(bodies))
	for i, body := range bodies {
		ids[i] = docdb.ID(body)
		docs[i] = stored(ids[i], body, bson.NewObjectID())
	}
	var results []error
	err := d.write(ctx, ids, func(ctx context.Context, c docdb.Collection) (err error) {
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

// insertMany inserts again what it has no answer of. Of those that are there then, the
// revision tells whether they are its own.
func insertMany(ctx context.Context, c docdb.Collection, docs []bson.Raw) (results []error, err error) {
	again := false
	err = retry(ctx, func() error {
		results, err = c.InsertMany(ctx, docs)
		if err != nil {
			again = again || errors.Is(err, docdb.ErrOutcomeUnknown)
			return err
		}
		if !again {
			return nil
		}
		for i, result := range results {
			var dup *docdb.DuplicateError
			if !errors.As(result, &dup) || dup.Index != docdb.IDIndex {
				continue
			}
			there, err := lookUp(ctx, c, docdb.ID(docs[i]))
			if err != nil {
				return err
			}
			if rev, _ := revisionOf(docs[i]); there != nil && there.Revision == rev {
				results[i] = nil
			}
		}
		return nil
	})
	if again && err != nil {
		err = errors.Join(docdb.ErrOutcomeUnknown, err)
	}
	return results, err
}
