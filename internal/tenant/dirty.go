package tenant

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// A move's dirty set is a collection of its own in the master database: the ids
// of the documents that were written, or about to be, while the move was on. An
// _id in it is {e: the organization's epoch as the writer read it, i: the
// document's _id}, so that the order of _id is the order of epochs.

const dirtyPrefix = "dirty_"

// dirtyName is that of one owner's move; a later owner's has another.
func dirtyName(opID string, fence int64) string {
	return dirtyPrefix + opID + "_" + strconv.FormatInt(fence, 10)
}

func dirtyID(epoch int64, id bson.RawValue) (bson.RawValue, error) {
	_, raw, err := bson.MarshalValue(bson.D{{Key: "e", Value: epoch}, {Key: "i", Value: id}})
	return bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: raw}, err
}

// recordDirty adds ids to the dirty set. They are there when it returns nil.
func (s *Store) recordDirty(ctx context.Context, set string, epoch int64, ids ...bson.RawValue) error {
	if s.cfg.skip.dirtySet {
		return nil
	}
	docs := make([]bson.Raw, len(ids))
	for i, id := range ids {
		entry, err := dirtyID(epoch, id)
		if err != nil {
			return err
		}
		if docs[i], err = bson.Marshal(bson.D{{Key: "_id", Value: entry}}); err != nil {
			return err
		}
	}
	c := s.master.Collection(set)
	if len(docs) == 1 {
		return retry(ctx, func() error {
			if err := c.Insert(ctx, docs[0]); !errors.Is(err, docdb.ErrDuplicate) {
				return err
			}
			return nil
		})
	}
	return retry(ctx, func() error {
		results, err := c.InsertMany(ctx, docs)
		if err != nil {
			return err
		}
		for _, err := range results {
			if err != nil && !errors.Is(err, docdb.ErrDuplicate) {
				return err
			}
		}
		return nil
	})
}

// isDirty reports whether a document was recorded in that epoch.
func (s *Store) isDirty(ctx context.Context, set string, epoch int64, id bson.RawValue) (bool, error) {
	entry, err := dirtyID(epoch, id)
	if err != nil {
		return false, err
	}
	_, err = s.master.Collection(set).Get(ctx, entry)
	if errors.Is(err, docdb.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// dirtyIDs yields what was recorded in the epochs after the first and before the
// second.
func (s *Store) dirtyIDs(ctx context.Context, set string, after, before int64) iter.Seq2[bson.RawValue, error] {
	return func(yield func(bson.RawValue, error) bool) {
		_, raw, err := bson.MarshalValue(bson.D{{Key: "e", Value: after + 1}}) // before all that have an i
		if err != nil {
			yield(bson.RawValue{}, err)
			return
		}
		from := docdb.Position{ID: bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: raw}}
		for doc, err := range s.master.Collection(set).Find(ctx, docdb.Query{After: &from}) {
			if err != nil {
				yield(bson.RawValue{}, err)
				return
			}
			entry := docdb.ID(doc).Document()
			epoch, ok := entry.Lookup("e").Int64OK()
			if !ok {
				yield(bson.RawValue{}, fmt.Errorf("dirty set %s holds %s: %w", set, entry, docdb.ErrInvalid))
				return
			}
			if epoch >= before {
				return
			}
			if !yield(entry.Lookup("i"), nil) {
				return
			}
		}
	}
}

// dropDirty drops the dirty sets of all owners of the operation.
func (r *run) dropDirty(ctx context.Context) error {
	sets, err := r.master.List(ctx, dirtyPrefix+r.op.ID+"_")
	if err != nil {
		return err
	}
	for _, set := range sets {
		if err := r.master.Drop(ctx, set); err != nil {
			return err
		}
	}
	return nil
}
