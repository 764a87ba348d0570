package tenant

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// A move's dirty set is a collection of its own in the master database: the ids
// of the documents that were written, or about to be, while the move was on. The _id of an
// entry is a string that begins with the organization's epoch as the writer read it, in
// digits of fixed width: every server orders those alike, so that the order of _id is the
// order of epochs.

const dirtyPrefix = "dirty_"

// dirtyName is that of one owner's move; a later owner's has another.
func dirtyName(opID string, fence int64) string {
	return dirtyPrefix + opID + "_" + strconv.FormatInt(fence, 10)
}

// dirty is one entry of a dirty set.
type dirty struct {
	Key   string        `bson:"_id"`
	Epoch int64         `bson:"e"`
	ID    bson.RawValue `bson:"i"`
	// Doubt says that a write of the document got no answer: it may be carried out yet.
	Doubt bool `bson:"d,omitempty"`
}

// dirtyKey is what the _ids of an epoch's entries begin with.
func dirtyKey(epoch int64) string { return fmt.Sprintf("%016x", epoch) }

// dirtyKeyOf is the _id of a document's entry. It has a digest of the document's _id,
// which may be of any type and length.
func dirtyKeyOf(epoch int64, id bson.RawValue) string {
	digest := sha256.New()
	digest.Write([]byte{byte(id.Type)})
	digest.Write(id.Value)
	return dirtyKey(epoch) + hex.EncodeToString(digest.Sum(nil)[:16])
}

func newDirty(epoch int64, id bson.RawValue, doubt bool) dirty {
	entry := dirty{Key: dirtyKeyOf(epoch, id), Epoch: epoch, ID: id, Doubt: doubt}
	if doubt {
		entry.Key += "d"
	}
	return entry
}

// recordDirty adds ids to the dirty set. They are there when it returns nil.
func (s *Store) recordDirty(ctx context.Context, set string, epoch int64, ids ...bson.RawValue) error {
	return s.record(ctx, set, epoch, false, ids)
}

func (s *Store) record(ctx context.Context, set string, epoch int64, doubt bool, ids []bson.RawValue) error {
	if s.cfg.skip.dirtySet || len(ids) == 0 {
		return nil
	}
	docs := make([]bson.Raw, len(ids))
	for i, id := range ids {
		var err error
		if docs[i], err = bson.Marshal(newDirty(epoch, id, doubt)); err != nil {
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

// dirtyAmong returns the keys of those documents that were recorded in that epoch.
func (s *Store) dirtyAmong(ctx context.Context, set string, epoch int64, ids []bson.RawValue) (map[string]bool, error) {
	keys := make([]bson.RawValue, len(ids))
	for i, id := range ids {
		keys[i] = docdb.StringID(dirtyKeyOf(epoch, id))
	}
	recorded := map[string]bool{}
	for some := range slices.Chunk(keys, askableIDs) {
		for raw, err := range s.master.Collection(set).Find(ctx, docdb.Query{Filter: docdb.In("_id", some)}) {
			if err != nil {
				return nil, err
			}
			recorded[docdb.ID(raw).StringValue()] = true
		}
	}
	return recorded, nil
}

// errDisorder: a storage that does not keep the order of _id would have a move lose
// documents.
var errDisorder = errors.New("the storage does not list strings in their order")

// dirtyIDs yields what was recorded in the epochs after the first and before the
// second.
func (s *Store) dirtyIDs(ctx context.Context, set string, after, before int64) iter.Seq2[dirty, error] {
	return func(yield func(dirty, error) bool) {
		q := docdb.Query{After: &docdb.Position{ID: docdb.StringID(dirtyKey(after + 1))}} // before all that have a digest
		last := ""
		for raw, err := range s.master.Collection(set).Find(ctx, q) {
			var entry dirty
			if err == nil {
				err = bson.Unmarshal(raw, &entry)
			}
			if err == nil && (entry.Key <= last || entry.Epoch <= after) {
				err = fmt.Errorf("dirty set %s at %q: %w", set, entry.Key, errDisorder)
			}
			if err != nil {
				yield(dirty{}, err)
				return
			}
			if entry.Epoch >= before {
				return
			}
			if last = entry.Key; !yield(entry, nil) {
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
