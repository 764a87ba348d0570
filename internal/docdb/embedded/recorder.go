package embedded

import (
	"context"
	"errors"
	"runtime"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
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
// of the few places that there are for such writes. They bound what all writes
// together hold in memory, and leave processors to others.
const heavyBytes = 256 << 10

// heavyDocument is how large a document is that is heavy by itself: writing it keeps the
// log, and then tables, busy for some milliseconds in which others wait.
const heavyDocument = 1 << 20

func heavyPlaces() int64 { return int64(max(1, runtime.GOMAXPROCS(0)/2)) }

// A recorder makes the records of one call. What it makes is in memory until the
// call ends. It must be released.
type recorder struct {
	e     *Engine
	ctx   context.Context
	state *collState
	// unbounded is for documents that are stored already, maybe by a program
	// that knew no bounds: they can be deleted all the same.
	unbounded bool
	turn      meter.Turn
	locked    bool // the call holds locks: see errHeavy
	heavy     bool // holds one of e.heavy
	size      int  // of the entries of all records
	tuple     []byte
	key       []byte
}

// errHeavy says that a place for heavy writes is needed. Who holds one waits for
// locks, so nobody may wait for one with locks held.
var errHeavy = errors.New("a heavy write")

func (e *Engine) newRecorder(ctx context.Context, state *collState) *recorder {
	return &recorder{e: e, ctx: ctx, state: state, turn: meter.NoTurn}
}

// begin has the call share the processors, from here on and where it waits for a place.
func (m *recorder) begin() error {
	m.turn = meter.TurnOf(m.ctx)
	return m.turn.Rest(m.ctx)
}

func (m *recorder) release() {
	m.turn.Done()
	if m.heavy {
		m.e.heavy.Release(1)
		m.heavy = false
	}
}

// acquire waits for a place for heavy writes.
func (m *recorder) acquire() error {
	m.turn.Done()
	if err := m.e.heavy.Acquire(m.ctx, 1); err != nil {
		return err
	}
	m.heavy = true
	if err := m.e.keepUp(m.ctx); err != nil {
		return err
	}
	return m.turn.Take(m.ctx)
}

// keepUpEvery is how often a heavy write looks whether tables have been written.
const keepUpEvery = 2 * time.Millisecond

// keepUp waits until what heavy writes have filled is in tables. Were the next one begun
// before, the small writes of others would be those that have to wait for the disk.
func (e *Engine) keepUp(ctx context.Context) error {
	for e.behind() {
		if err := e.health.Flowing(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(keepUpEvery):
		}
	}
	return nil
}

// behind reports whether memtables are being written to tables: what waits has half the size
// of one then, which is when Pebble begins.
func (e *Engine) behind() bool {
	return e.db.Metrics().MemTable.Size >= e.memTable+e.memTable/2
}

// fresh is record for a document that is to be written, the last one of so many bytes that
// are written together.
func (m *recorder) fresh(doc bson.Raw, bytes int) record {
	r := m.named(doc)
	if len(doc) >= largeFrom {
		m.e.large.is(m.e.hashOf(r.key), len(doc))
	}
	if bytes > heavyDocument {
		r.err = m.weigh(heavyBytes + 1)
	}
	if r.err == nil {
		m.make(&r, doc)
	}
	return r
}

// record returns the record of a document.
func (m *recorder) record(doc bson.Raw) record {
	r := m.named(doc)
	m.make(&r, doc)
	return r
}

// named returns a record with nothing but its key.
func (m *recorder) named(doc bson.Raw) record {
	prefix := keys.Documents(m.state.id)
	key := keys.AppendPart(prefix, keys.AppendValue(make([]byte, 0, 32), docdb.ID(doc)))
	return record{key: key, id: key[len(prefix):]}
}

// make makes a record's entries.
func (m *recorder) make(r *record, doc bson.Raw) {
	if len(m.state.indexes) == 0 {
		return
	}
	made := m.entriesOf(doc, r.id)
	for _, ix := range m.state.indexes {
		if r.err = made.add(ix); r.err != nil {
			break
		}
	}
	m.size += made.size
	r.entries, r.size = made.entries, made.size
}

// stored is record for a document that is there, and that may have more entries than one
// that is new.
func (m *recorder) stored(doc bson.Raw) record {
	m.unbounded = true
	defer func() { m.unbounded = false }()
	return m.record(doc)
}

// weigh takes one of the places for heavy writes when the entries, with n bytes of the
// document that is being made, come to that much.
func (m *recorder) weigh(n int) error {
	if m.heavy || m.size+n <= heavyBytes {
		return nil
	}
	if m.locked {
		return errHeavy
	}
	return m.acquire()
}
