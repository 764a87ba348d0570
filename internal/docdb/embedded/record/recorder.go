package record

import (
	"context"
	"errors"
	"hash/maphash"
	"runtime"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/semaphore"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/embedded/store"
	"github.com/orgd/orgd/internal/docdb/meter"
)

// What making the entries of one document may take. The steps, and the bytes before
// long tuples are cut to what a key holds of them, come to about half a second each
// on one processor; 16 MiB of entries go into Pebble as one batch.
const (
	maxSteps   = 1 << 26
	maxEncoded = 4 * docdb.MaxDocumentSize
)

// heavyBytes is how much a write's entries take before it has to wait for one
// of the few places for heavy writes. The places bound what all writes together
// hold in memory, and leave processors to other work.
const heavyBytes = 256 << 10

// heavyDocument is how large a document is that is heavy by itself: writing it keeps the
// log, and then tables, busy for some milliseconds in which other writes wait.
const heavyDocument = 1 << 20

// HeavyPlaces is how many heavy writes there may be at a time.
func HeavyPlaces() int64 { return int64(max(1, runtime.GOMAXPROCS(0)/2)) }

// Shared is what all writes to one engine share.
type Shared struct {
	store *store.Store
	seed  maphash.Seed        // of the hashes in locks
	Heavy *semaphore.Weighted // places for heavy writes: see heavyBytes
	large largeDocuments
}

// New returns what all writes to a storage share.
func New(s *store.Store) *Shared {
	return &Shared{store: s, seed: maphash.MakeSeed(), Heavy: semaphore.NewWeighted(HeavyPlaces())}
}

// HashOf is a key as it stands in locks.
func (w *Shared) HashOf(key []byte) uint64 { return maphash.Bytes(w.seed, key) }

// A Recorder makes the records of one call. What it makes is in memory until the
// call ends. It must be released.
type Recorder struct {
	shared *Shared
	ctx    context.Context
	state  *catalog.State
	// unbounded is for documents that are stored already, maybe by a program
	// that knew no bounds: they can be deleted all the same.
	unbounded bool
	turn      meter.Turn
	locked    bool // the call holds locks: see errHeavy
	heavy     bool // holds one of shared.Heavy
	size      int  // of the entries of all records
	tuple     []byte
	key       []byte
}

// errHeavy says that a place for heavy writes is needed. A write that has a place waits for
// locks, so no write may wait for a place with locks held.
var errHeavy = errors.New("a heavy write")

// NewRecorder returns a recorder of a call on a collection in that state.
func (w *Shared) NewRecorder(ctx context.Context, state *catalog.State) *Recorder {
	return &Recorder{shared: w, ctx: ctx, state: state, turn: meter.NoTurn}
}

// Begin has the call share the processors, from here on and where it waits for a place.
func (m *Recorder) Begin() error {
	m.turn = meter.TurnOf(m.ctx)
	return m.turn.Rest(m.ctx)
}

// Release ends the turn, and gives up the place for heavy writes.
func (m *Recorder) Release() {
	m.turn.Done()
	if m.heavy {
		m.shared.Heavy.Release(1)
		m.heavy = false
	}
}

// acquire waits for a place for heavy writes.
func (m *Recorder) acquire() error {
	m.turn.Done()
	if err := m.shared.Heavy.Acquire(m.ctx, 1); err != nil {
		return err
	}
	m.heavy = true
	if err := m.shared.store.KeepUp(m.ctx); err != nil {
		return err
	}
	return m.turn.Take(m.ctx)
}

// Fresh is record for a document that is to be written, the last one of so many bytes that
// are written together.
func (m *Recorder) Fresh(doc bson.Raw, bytes int) Record {
	r := m.named(doc)
	if len(doc) >= largeFrom {
		m.shared.large.is(m.shared.HashOf(r.Key), len(doc))
	}
	if bytes > heavyDocument {
		r.Err = m.weigh(heavyBytes + 1)
	}
	if r.Err == nil {
		m.make(&r, doc)
	}
	return r
}

// Record returns the record of a document.
func (m *Recorder) Record(doc bson.Raw) Record {
	r := m.named(doc)
	m.make(&r, doc)
	return r
}

// named returns a record with nothing but its key.
func (m *Recorder) named(doc bson.Raw) Record {
	prefix := keys.Documents(m.state.ID)
	key := keys.AppendPart(prefix, keys.AppendValue(make([]byte, 0, 32), docdb.ID(doc)))
	return Record{Key: key, id: key[len(prefix):]}
}

// make makes a record's entries.
func (m *Recorder) make(r *Record, doc bson.Raw) {
	if len(m.state.Indexes) == 0 {
		return
	}
	made := m.entriesOf(doc, r.id)
	for _, ix := range m.state.Indexes {
		if r.Err = made.add(ix); r.Err != nil {
			break
		}
	}
	m.size += made.size
	r.Entries, r.Size = made.entries, made.size
}

// Stored is record for a document that is there, and that may have more entries than one
// that is new.
func (m *Recorder) Stored(doc bson.Raw) Record {
	m.unbounded = true
	defer func() { m.unbounded = false }()
	return m.Record(doc)
}

// weigh takes one of the places for heavy writes when the entries, with n bytes of the
// document that is being made, come to that much.
func (m *Recorder) weigh(n int) error {
	if m.heavy || m.size+n <= heavyBytes {
		return nil
	}
	if m.locked {
		return errHeavy
	}
	return m.acquire()
}

// A document with more entries in the new index is asked whether it has too many in
// all of them. Those that have fewer may then exceed what a write may add, together, by
// a quarter: that is not worth making all entries of all documents again.
const (
	fewEntries = docdb.MaxIndexEntries / (4 * docdb.MaxIndexes)
	fewBytes   = docdb.MaxIndexBytes / (4 * docdb.MaxIndexes)
)

// EntriesIn makes the entries of a document in an index that is being made;
// *docdb.IndexKeyError if it can have none.
func (m *Recorder) EntriesIn(ix *catalog.Index, doc, id []byte) ([]entry, error) {
	made := m.entriesOf(doc, id)
	if err := made.add(ix); err != nil {
		return nil, err
	}
	if made.keys > fewEntries || made.size > fewBytes {
		if r := m.Record(doc); r.Err != nil {
			return nil, r.Err
		}
	}
	return made.entries, nil
}
