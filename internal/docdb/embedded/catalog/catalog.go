// Package catalog knows the collections of an engine and their indexes: as they are stored,
// and, of those in use, what the process keeps of each.
package catalog

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/semaphore"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/embedded/locks"
	"github.com/orgd/orgd/internal/docdb/embedded/store"
)

// Name names a collection.
type Name struct{ Database, Collection string }

// A Collection is what the process knows of a collection's name, whether there is a
// collection of that name or not. All calls on a name share one Collection while any
// of them is in progress.
type Collection struct {
	name Name
	refs int // calls that use it; guarded by the catalog's shard

	load   sync.Mutex
	loaded atomic.Bool // once true the state is valid

	// writers is held with weight 1 to write documents, with all of its weight
	// to create, drop or index the collection.
	Writers *semaphore.Weighted
	State   atomic.Pointer[State] // nil: there is no such collection
	// changing is set while a commit that changes state is under way.
	Changing atomic.Bool
	Inflight locks.Commits
	Locks    locks.Table
}

const AllWriters = math.MaxInt64

// A State describes a collection. It is never changed, only replaced.
type State struct {
	ID        uint32
	NextIndex uint32   // the number of the index that is made next
	Indexes   []*Index // in the order of their names
}

// An Index is an index of a collection, and its number.
type Index struct {
	docdb.Index
	ID uint32
}

// catalogRecord is a State as it is stored.
type catalogRecord struct {
	ID        int64         `bson:"id"`
	NextIndex int64         `bson:"next_index"`
	Indexes   []indexRecord `bson:"indexes,omitempty"`
}

type indexRecord struct {
	ID     int64       `bson:"id"`
	Name   string      `bson:"name"`
	Keys   []keyRecord `bson:"keys"`
	Unique bool        `bson:"unique,omitempty"`
}

type keyRecord struct {
	Path string `bson:"path"`
	Desc bool   `bson:"desc,omitempty"`
}

// encode returns the state as it is stored.
func (s *State) encode() ([]byte, error) {
	r := catalogRecord{ID: int64(s.ID), NextIndex: int64(s.NextIndex)}
	for _, ix := range s.Indexes {
		ir := indexRecord{ID: int64(ix.ID), Name: ix.Name, Unique: ix.Unique}
		for _, key := range ix.Keys {
			ir.Keys = append(ir.Keys, keyRecord(key))
		}
		r.Indexes = append(r.Indexes, ir)
	}
	return bson.Marshal(r)
}

// DecodeState reads a state as it is stored.
func DecodeState(raw []byte) (*State, error) {
	var r catalogRecord
	if err := bson.Unmarshal(raw, &r); err != nil {
		return nil, err
	}
	s := &State{ID: uint32(r.ID), NextIndex: uint32(r.NextIndex)}
	for _, ir := range r.Indexes {
		ix := &Index{Index: docdb.Index{Name: ir.Name, Unique: ir.Unique}, ID: uint32(ir.ID)}
		for _, key := range ir.Keys {
			ix.Keys = append(ix.Keys, docdb.Key(key))
		}
		s.Indexes = append(s.Indexes, ix)
	}
	return s, nil
}

const (
	catalogShards = 64
	// maxCached is how many collections a shard remembers beyond those in use:
	// all of 8,000, at about half a kilobyte each.
	maxCached = 128
)

// Catalog knows the collections. They are stored in Pebble and read when they
// are first used, so that opening costs the same however many there are.
type Catalog struct {
	store  *store.Store
	seed   maphash.Seed
	shards [catalogShards]struct {
		mu    sync.Mutex
		colls map[Name]*Collection
	}

	// changes are the commits that create or drop collections, for List.
	changes locks.Commits

	// Numbers of collections are reserved in blocks.
	reserve        sync.Mutex
	next, reserved uint32
}

// New returns the catalog of a storage.
func New(s *store.Store) *Catalog {
	c := &Catalog{store: s, seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].colls = make(map[Name]*Collection)
	}
	return c
}

// Acquire returns the Collection of a name, to be released. ErrInvalid for a name that
// breaks the rules.
func (c *Catalog) Acquire(name Name) (*Collection, error) {
	co, err := c.reference(name)
	if err != nil {
		return nil, err
	}
	if co.loaded.Load() {
		return co, nil
	}
	co.load.Lock()
	defer co.load.Unlock()
	if co.loaded.Load() {
		return co, nil
	}
	// Nothing changes this collection now: a call that does holds a reference, and has loaded it.
	raw, ok, err := c.store.Get(keys.Catalog(name.Database, name.Collection))
	if err == nil && ok {
		var state *State
		if state, err = DecodeState(raw); err == nil {
			co.State.Store(state)
		}
	}
	if err != nil {
		c.Release(co)
		return nil, fmt.Errorf("reading catalog of collection %q: %w", name.Collection, err)
	}
	co.loaded.Store(true)
	return co, nil
}

func (c *Catalog) reference(name Name) (*Collection, error) {
	shard := &c.shards[maphash.Comparable(c.seed, name)%catalogShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	co := shard.colls[name]
	if co == nil {
		if err := docdb.ValidateDatabaseName(name.Database); err != nil {
			return nil, err
		}
		if err := docdb.ValidateCollectionName(name.Collection); err != nil {
			return nil, err
		}
		co = &Collection{name: name, Writers: semaphore.NewWeighted(AllWriters)}
		shard.colls[name] = co
	}
	co.refs++
	return co, nil
}

// Release gives a collection back.
func (c *Catalog) Release(co *Collection) {
	shard := &c.shards[maphash.Comparable(c.seed, co.name)%catalogShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	co.refs--
	if co.refs > 0 {
		return
	}
	if co.State.Load() == nil { // so that asking for names that aren't there fills no memory
		delete(shard.colls, co.name)
		return
	}
	if len(shard.colls) <= maxCached {
		return
	}
	for name, other := range shard.colls { // Go's map order makes this one at random
		if other.refs == 0 {
			delete(shard.colls, name)
			return
		}
	}
}

// SetState commits a batch that makes state the collection's (nil: dropped),
// and lets the process know once it is on disk. The caller holds all of co.writers.
func (c *Catalog) SetState(co *Collection, batch *pebble.Batch, state *State, frees bool) error {
	key := keys.Catalog(co.name.Database, co.name.Collection)
	if state == nil {
		if err := batch.Delete(key, nil); err != nil {
			return err
		}
	} else {
		value, err := state.encode()
		if err == nil {
			err = batch.Set(key, value, nil)
		}
		if err != nil {
			return fmt.Errorf("writing catalog of collection %q: %w", co.name.Collection, err)
		}
	}
	co.Changing.Store(true)
	defer co.Changing.Store(false)
	// A read that waits for these commits finds the new state when they have ended.
	defer co.Inflight.End(co.Inflight.Begin())
	defer c.changes.End(c.changes.Begin())
	if err := c.store.Commit(batch, true, frees); err != nil {
		return err
	}
	co.State.Store(state)
	return nil
}

const numberBlock = 256

// Number returns the number of a new collection, which no other one ever had.
func (c *Catalog) Number() (uint32, error) {
	c.reserve.Lock()
	defer c.reserve.Unlock()
	if c.next == c.reserved {
		raw, ok, err := c.store.Get([]byte{keys.Counter})
		if err != nil {
			return 0, err
		}
		first := uint64(1)
		if ok && len(raw) == 8 {
			first = binary.BigEndian.Uint64(raw)
		}
		if first+numberBlock > math.MaxUint32 {
			return 0, fmt.Errorf("all %d numbers of collections are used up", uint32(math.MaxUint32))
		}
		batch := c.store.DB.NewBatch()
		if err := batch.Set([]byte{keys.Counter}, binary.BigEndian.AppendUint64(nil, first+numberBlock), nil); err != nil {
			return 0, err
		}
		if err := c.store.Commit(batch, true, false); err != nil {
			return 0, err
		}
		c.next, c.reserved = uint32(first), uint32(first+numberBlock)
	}
	n := c.next
	c.next++
	return n, nil
}

// Names returns the names of a database's collections that begin with prefix.
func (c *Catalog) Names(ctx context.Context, database, prefix string) (names []string, err error) {
	lower := keys.Catalog(database, prefix)
	base := len(keys.Catalog(database, ""))
	it, err := c.store.DB.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: keys.Successor(lower)})
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := it.Close(); err == nil && closeErr != nil {
			names, err = nil, closeErr
		}
	}()
	if err := c.changes.Settle(ctx); err != nil {
		return nil, err
	}
	names = []string{}
	for ok := it.First(); ok; ok = it.Next() {
		if len(names)%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		names = append(names, string(it.Key()[base:]))
	}
	return names, it.Error()
}
