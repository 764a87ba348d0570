package embedded

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
)

// collName names a collection.
type collName struct{ database, collection string }

// A coll is what the process knows of a collection's name, whether there is a
// collection of that name or not. All calls on a name share one coll while any
// of them is in progress.
type coll struct {
	name collName
	refs int // calls that use it; guarded by the catalog's shard

	load   sync.Mutex
	loaded atomic.Bool // once true the state is valid

	// writers is held with weight 1 to write documents, with all of its weight
	// to create, drop or index the collection.
	writers *semaphore.Weighted
	state   atomic.Pointer[collState] // nil: there is no such collection
	// changing is set while a commit that changes state is under way.
	changing atomic.Bool
	inflight inflight
	locks    locks
}

const allWriters = math.MaxInt64

// A collState describes a collection. It is never changed, only replaced.
type collState struct {
	id        uint32
	nextIndex uint32
	indexes   []*index // in the order of their names
}

type index struct {
	docdb.Index
	id uint32
}

// catalogRecord is a collState as it is stored.
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
func (s *collState) encode() ([]byte, error) {
	r := catalogRecord{ID: int64(s.id), NextIndex: int64(s.nextIndex)}
	for _, ix := range s.indexes {
		ir := indexRecord{ID: int64(ix.id), Name: ix.Name, Unique: ix.Unique}
		for _, key := range ix.Keys {
			ir.Keys = append(ir.Keys, keyRecord(key))
		}
		r.Indexes = append(r.Indexes, ir)
	}
	return bson.Marshal(r)
}

func decodeState(raw []byte) (*collState, error) {
	var r catalogRecord
	if err := bson.Unmarshal(raw, &r); err != nil {
		return nil, err
	}
	s := &collState{id: uint32(r.ID), nextIndex: uint32(r.NextIndex)}
	for _, ir := range r.Indexes {
		ix := &index{Index: docdb.Index{Name: ir.Name, Unique: ir.Unique}, id: uint32(ir.ID)}
		for _, key := range ir.Keys {
			ix.Keys = append(ix.Keys, docdb.Key(key))
		}
		s.indexes = append(s.indexes, ix)
	}
	return s, nil
}

const (
	catalogShards = 64
	// maxCached is how many collections a shard remembers beyond those in use:
	// all of 8,000, at about half a kilobyte each.
	maxCached = 128
)

// catalog knows the collections. They are stored in Pebble and read when they
// are first used, so that opening costs the same however many there are.
type catalog struct {
	e      *Engine
	seed   maphash.Seed
	shards [catalogShards]struct {
		mu    sync.Mutex
		colls map[collName]*coll
	}

	// changes are the commits that create or drop collections, for List.
	changes inflight

	// Numbers of collections are reserved in blocks.
	reserve        sync.Mutex
	next, reserved uint32
}

func newCatalog(e *Engine) *catalog {
	c := &catalog{e: e, seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].colls = make(map[collName]*coll)
	}
	return c
}

// acquire returns the coll of a name, to be released. ErrInvalid for a name that
// breaks the rules.
func (c *catalog) acquire(name collName) (*coll, error) {
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
	// Nothing changes this collection now: whoever does holds a reference, and has loaded it.
	raw, ok, err := c.e.get(keys.Catalog(name.database, name.collection))
	if err == nil && ok {
		var state *collState
		if state, err = decodeState(raw); err == nil {
			co.state.Store(state)
		}
	}
	if err != nil {
		c.release(co)
		return nil, fmt.Errorf("reading catalog of collection %q: %w", name.collection, err)
	}
	co.loaded.Store(true)
	return co, nil
}

func (c *catalog) reference(name collName) (*coll, error) {
	shard := &c.shards[maphash.Comparable(c.seed, name)%catalogShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	co := shard.colls[name]
	if co == nil {
		if err := docdb.ValidateDatabaseName(name.database); err != nil {
			return nil, err
		}
		if err := docdb.ValidateCollectionName(name.collection); err != nil {
			return nil, err
		}
		co = &coll{name: name, writers: semaphore.NewWeighted(allWriters)}
		shard.colls[name] = co
	}
	co.refs++
	return co, nil
}

func (c *catalog) release(co *coll) {
	shard := &c.shards[maphash.Comparable(c.seed, co.name)%catalogShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	co.refs--
	if co.refs > 0 {
		return
	}
	if co.state.Load() == nil { // so that asking for names that aren't there fills no memory
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

const numberBlock = 256

// number returns the number of a new collection, which no other one ever had.
func (c *catalog) number() (uint32, error) {
	c.reserve.Lock()
	defer c.reserve.Unlock()
	if c.next == c.reserved {
		raw, ok, err := c.e.get([]byte{keys.Counter})
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
		batch := c.e.db.NewBatch()
		if err := batch.Set([]byte{keys.Counter}, binary.BigEndian.AppendUint64(nil, first+numberBlock), nil); err != nil {
			return 0, err
		}
		if err := c.e.commit(batch, true, false); err != nil {
			return 0, err
		}
		c.next, c.reserved = uint32(first), uint32(first+numberBlock)
	}
	n := c.next
	c.next++
	return n, nil
}

// names returns the names of a database's collections that begin with prefix.
func (c *catalog) names(ctx context.Context, database, prefix string) (names []string, err error) {
	lower := keys.Catalog(database, prefix)
	base := len(keys.Catalog(database, ""))
	it, err := c.e.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: keys.Successor(lower)})
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := it.Close(); err == nil && closeErr != nil {
			names, err = nil, closeErr
		}
	}()
	if err := c.changes.settle(ctx); err != nil {
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
