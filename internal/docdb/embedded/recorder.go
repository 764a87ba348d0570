package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
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
	turn      docdb.Turn
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
	return &recorder{e: e, ctx: ctx, state: state, turn: docdb.NoTurn}
}

// begin has the call share the processors, from here on and where it waits for a place.
func (m *recorder) begin() error {
	m.turn = docdb.TurnOf(m.ctx)
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
		if err := e.health.flowing(); err != nil {
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
	prefix := documentPrefix(m.state.id)
	key := appendPart(prefix, appendValue(make([]byte, 0, 32), docdb.ID(doc)))
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

// making is the entries of one document on their way.
type making struct {
	m   *recorder
	x   *docdb.Expander
	doc bson.Raw
	id  []byte

	entries []entry
	keys    int // of all indexes that are done
	size    int // of entries, but for the index that is being added to
	encoded int
}

func (m *recorder) entriesOf(doc bson.Raw, id []byte) *making {
	steps := maxSteps
	if m.unbounded {
		steps = 0
	}
	return &making{m: m, x: docdb.NewExpander(m.ctx, steps), doc: doc, id: id, entries: make([]entry, 0, len(m.state.indexes))}
}

// add adds the entries of an index.
func (d *making) add(ix *index) error {
	p := part{d: d, ix: ix, start: len(d.entries), prefix: append(indexPrefix(d.m.state.id, ix.id), indexEntries)}
	if err := d.x.Each(d.doc, ix.Keys, p.add); err != nil {
		d.entries = d.entries[:p.start]
		return d.refusal(ix, err)
	}
	p.finish()
	return nil
}

// refusal names the index in an error.
func (d *making) refusal(ix *index, err error) error {
	var refused *docdb.IndexKeyError
	if !errors.As(err, &refused) {
		return fmt.Errorf("index %q: %w", ix.Name, err)
	}
	named := *refused
	if named.Index = ix.Name; named.Path == "" {
		named.Path = widest(d.doc, ix.Keys)
	}
	return &named
}

// widest is the path that makes an index's keys many, or long.
func widest(doc bson.Raw, keys []docdb.Key) string {
	path, most := "", -1
	for i, key := range keys {
		n := 0
		x := docdb.NewExpander(context.Background(), maxSteps)
		_ = x.Each(doc, keys[i:i+1], func(row []bson.RawValue) error { // as far as it goes
			n += 1 + len(row[0].Value)
			return nil
		})
		if n > most {
			path, most = key.Path, n
		}
	}
	return path
}

// A part is the entries of one document in one index.
type part struct {
	d      *making
	ix     *index
	start  int // of d.entries
	prefix []byte
	size   int // of the entries
	// seen has the tuples once they are more than few, among which it is as fast to
	// look through all.
	seen map[string]struct{}
}

const few = 16

// add adds the entry of a key, unless it is there.
func (p *part) add(row []bson.RawValue) error {
	m := p.d.m
	m.tuple = appendTuple(m.tuple[:0], p.ix.Keys, row)
	if p.d.encoded += len(m.tuple); p.d.encoded > maxEncoded && !m.unbounded {
		return &docdb.IndexKeyError{Problem: "the values to index are too long for so many keys"}
	}
	start := len(p.prefix)
	m.key = appendPart(append(m.key[:0], p.prefix...), m.tuple)
	length := len(m.key) - start
	if p.has(m.key[start:]) {
		return nil
	}
	en := entry{}
	if p.ix.Unique {
		en.unique, en.value = p.ix, entryValue(length, p.d.id)
	} else {
		en.value = entryValue(length, nil)
		m.key = append(m.key, p.d.id...)
	}
	en.key = bytes.Clone(m.key)
	p.d.entries = append(p.d.entries, en)
	p.size += en.size()
	return p.check()
}

// has reports whether there is an entry with a tuple, and that there will be one.
func (p *part) has(tuple []byte) bool {
	mine := p.d.entries[p.start:]
	if len(mine) < few {
		return slices.ContainsFunc(mine, func(en entry) bool { return bytes.Equal(p.tuple(en), tuple) })
	}
	if p.seen == nil {
		p.seen = make(map[string]struct{}, 2*few)
		for _, en := range mine {
			p.seen[string(p.tuple(en))] = struct{}{}
		}
	}
	if _, ok := p.seen[string(tuple)]; ok {
		return true
	}
	p.seen[string(tuple)] = struct{}{}
	return false
}

// tuple is the part of an entry's key that tells it from the others.
func (p *part) tuple(en entry) []byte {
	if p.ix.Unique {
		return en.key[len(p.prefix):]
	}
	return en.key[len(p.prefix) : len(en.key)-len(p.d.id)]
}

// check refuses what is too much.
func (p *part) check() error {
	d := p.d
	keys, size := d.keys+len(d.entries)-p.start, d.size+p.size
	switch {
	case d.m.unbounded:
	case keys > docdb.MaxIndexEntries:
		return &docdb.IndexKeyError{Problem: fmt.Sprintf("the indexes would hold more than %d keys of the document", docdb.MaxIndexEntries)}
	case size > docdb.MaxIndexBytes:
		return &docdb.IndexKeyError{Problem: fmt.Sprintf("the indexes would hold more than %d bytes of the document", docdb.MaxIndexBytes)}
	}
	return d.m.weigh(size)
}

// finish says in the entries whether there are several.
func (p *part) finish() {
	d := p.d
	mine := d.entries[p.start:]
	d.keys += len(mine)
	if len(mine) > 1 {
		for _, en := range mine {
			en.value[0] |= multiEntry
		}
		mark := entry{key: slices.Concat(p.prefix[:len(p.prefix)-1], []byte{indexMulti}, d.id)}
		d.entries = append(d.entries, mark)
		p.size += mark.size()
	}
	d.size += p.size
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
