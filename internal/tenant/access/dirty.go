package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/retry"
)

// A move's dirty set is a collection of its own in the master database: the ids
// of the documents that were written, or about to be, while the move was on. The _id of an
// entry is a string that begins with the organization's epoch as the writer read it, in
// digits of fixed width: every server orders those alike, so that the order of _id is the
// order of epochs.

// DirtyPrefix begins the names of all dirty sets.
const DirtyPrefix = "dirty_"

// DirtyName is the name of the dirty set of one owner's move; a later owner has another.
func DirtyName(opID string, token int64) string {
	return DirtyPrefix + opID + "_" + strconv.FormatInt(token, 10)
}

// A Dirty is one entry of a dirty set.
type Dirty struct {
	Key   string        `bson:"_id"`
	Epoch int64         `bson:"e"`
	ID    bson.RawValue `bson:"i"`
	// Doubt says that a write of the document got no answer and may still be carried out.
	Doubt bool `bson:"d,omitempty"`
}

// epochKey is the prefix of the _ids of an epoch's entries.
func epochKey(epoch int64) string { return fmt.Sprintf("%016x", epoch) }

// DirtyKey is the _id of a document's entry. It has a digest of the document's _id,
// which may be of any type and length.
func DirtyKey(epoch int64, id bson.RawValue) string {
	digest := sha256.New()
	digest.Write([]byte{byte(id.Type)})
	digest.Write(id.Value)
	return epochKey(epoch) + hex.EncodeToString(digest.Sum(nil)[:16])
}

func newDirty(epoch int64, id bson.RawValue, doubt bool) Dirty {
	entry := Dirty{Key: DirtyKey(epoch, id), Epoch: epoch, ID: id, Doubt: doubt}
	if doubt {
		entry.Key += "d"
	}
	return entry
}

// DirtySets are the dirty sets of moves.
type DirtySets interface {
	// Record adds ids to a set, and returns nil when they are stored. doubt says that a write
	// of the documents got no answer.
	Record(ctx context.Context, set string, epoch int64, doubt bool, ids ...bson.RawValue) error
	// Among returns the keys of those documents that were recorded in that epoch.
	Among(ctx context.Context, set string, epoch int64, ids []bson.RawValue) (map[string]bool, error)
	// Between yields the entries of the epochs after the first and before the second.
	Between(ctx context.Context, set string, after, before int64) iter.Seq2[Dirty, error]
	// Drop drops the sets of all owners of an operation.
	Drop(ctx context.Context, opID string) error
}

// NewDirtySets returns the dirty sets in a master database.
func NewDirtySets(master docdb.Database) DirtySets { return dirtySets{master} }

type dirtySets struct{ master docdb.Database }

// Record implements DirtySets.
func (s dirtySets) Record(ctx context.Context, set string, epoch int64, doubt bool, ids ...bson.RawValue) error {
	if len(ids) == 0 {
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
		return retry.Do(ctx, func() error {
			if err := c.Insert(ctx, docs[0]); !errors.Is(err, docdb.ErrDuplicate) {
				return err
			}
			return nil
		})
	}
	return retry.Do(ctx, func() error {
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

// Among implements DirtySets.
func (s dirtySets) Among(ctx context.Context, set string, epoch int64, ids []bson.RawValue) (map[string]bool, error) {
	keys := make([]bson.RawValue, len(ids))
	for i, id := range ids {
		keys[i] = docdb.StringID(DirtyKey(epoch, id))
	}
	recorded := map[string]bool{}
	for some := range slices.Chunk(keys, AskableIDs) {
		for raw, err := range s.master.Collection(set).Find(ctx, docdb.Query{Filter: docdb.In("_id", some)}) {
			if err != nil {
				return nil, err
			}
			recorded[docdb.ID(raw).StringValue()] = true
		}
	}
	return recorded, nil
}

// errDisorder: on a storage that does not keep the order of _id a move would lose documents.
var errDisorder = errors.New("the storage does not list strings in their order")

// Between implements DirtySets.
func (s dirtySets) Between(ctx context.Context, set string, after, before int64) iter.Seq2[Dirty, error] {
	return func(yield func(Dirty, error) bool) {
		q := docdb.Query{After: &docdb.Position{ID: docdb.StringID(epochKey(after + 1))}} // before all that have a digest
		last := ""
		for raw, err := range s.master.Collection(set).Find(ctx, q) {
			var entry Dirty
			if err == nil {
				err = bson.Unmarshal(raw, &entry)
			}
			if err == nil && (entry.Key <= last || entry.Epoch <= after) {
				err = fmt.Errorf("dirty set %s at %q: %w", set, entry.Key, errDisorder)
			}
			if err != nil {
				yield(Dirty{}, err)
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

// Drop implements DirtySets.
func (s dirtySets) Drop(ctx context.Context, opID string) error {
	sets, err := s.master.List(ctx, DirtyPrefix+opID+"_")
	if err != nil {
		return err
	}
	for _, set := range sets {
		if err := s.master.Drop(ctx, set); err != nil {
			return err
		}
	}
	return nil
}

// DirtyOwner is the inverse of DirtyName; false for another collection that only
// begins like a dirty set.
func DirtyOwner(set string) (opID string, ok bool) {
	opID, token, _ := strings.Cut(strings.TrimPrefix(set, DirtyPrefix), "_")
	_, err := strconv.ParseInt(token, 10, 64)
	return opID, err == nil && uuid.Validate(opID) == nil
}

// AskableIDs is how many _ids a filter lists: within filter.MaxInValues and filter.MaxSize, and
// few enough for compatible servers that compare every document found with each of them.
const AskableIDs = 100
