package scan

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/embedded/store"
	"github.com/orgd/orgd/internal/docdb/indexkey"
	"github.com/orgd/orgd/internal/docdb/meter"
)

// A place is a position in a scan's order as it is encoded, in full. By _id,
// the tuple is empty.
type place struct{ tuple, id []byte }

// beyond reports whether p comes after q in the direction of the walk.
func (p place) beyond(q place, desc bool) bool {
	c := cmp.Or(bytes.Compare(p.tuple, q.tuple), bytes.Compare(p.id, q.id))
	if desc {
		return c < 0
	}
	return c > 0
}

// A walk goes over a plan's keys, in one view of the database, and visits the
// documents that satisfy the filter in order.
type walk struct {
	state *catalog.State
	plan  plan
	query docdb.Query
	after *place // what has been visited, and what the query skips
	it    *pebble.Iterator
	docs  *pebble.Iterator // to fetch documents for an index's entries; nil until then
	// bare: the keys say all, so that visit gets no documents.
	bare   bool
	places map[string][]byte // of documents with several entries: see placeOf
	// visit gets a document, in memory that is valid within the call.
	visit func(doc bson.Raw) (more bool)
	pause pause
}

// errPause ends a walk that is to go on later, after w.after.
var errPause = errors.New("pause")

// A pause is when a walk that finds little lets go of what it holds.
type pause struct {
	*meter.Meter
	until  time.Time
	lookAt int // the meter's step at which to look at the clock again
}

// MaxWalk is how long a walk holds on to one view of the database, which keeps memtables
// and tables from being given up.
const MaxWalk = 500 * time.Millisecond

// lookEvery is after how many steps a walk looks at the clock.
const lookEvery = 128 * store.StepsOfKey

func newPause(m *meter.Meter, after time.Duration) pause {
	p := pause{Meter: m, until: time.Now().Add(after)}
	p.goOn()
	return p
}

// goOn makes no pause for so many keys.
func (p *pause) goOn() { p.lookAt = p.Steps() + lookEvery }

// step is called for each key.
func (p *pause) step() error {
	if !p.Take(store.StepsOfKey) {
		return p.Err()
	}
	if p.Steps() < p.lookAt {
		return nil
	}
	p.goOn()
	if time.Now().After(p.until) {
		return errPause
	}
	return nil
}

// close gives up the view.
func (w *walk) close() error {
	var err error
	if w.docs != nil {
		err = w.docs.Close()
	}
	return errors.Join(err, w.it.Close())
}

// run walks until visit has enough (false), the end (true), or an error.
func (w *walk) run() (done bool, err error) {
	spans := w.plan.spans
	for i := range spans {
		s := spans[i]
		if w.query.Desc {
			s = spans[len(spans)-1-i]
		}
		if s.empty() || w.passed(s) { // an empty one is not for Pebble to be asked
			continue
		}
		w.it.SetBounds(s.lower, s.upper)
		more, err := w.walkSpan()
		if err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// passed reports whether all of a span is at or before w.after, so that the pages of a
// walk over many spans do not each begin with all those before them.
func (w *walk) passed(s span) bool {
	if w.after == nil {
		return false
	}
	if w.query.Desc {
		return bytes.Compare(s.lower, keys.Successor(w.afterKey())) >= 0
	}
	return bytes.Compare(s.upper, w.afterKey()) <= 0
}

// walkSpan walks over the keys within the iterator's bounds. When it stops early,
// w.after is the last place it has been at.
func (w *walk) walkSpan() (more bool, err error) {
	for ok := w.seek(); ok; {
		at, multi, err := w.entry()
		if err != nil {
			return false, err
		}
		if group := w.group(at); group != nil {
			if more, err := w.walkGroup(group); err != nil || !more {
				return false, err
			}
			ok = w.leave(group)
			continue
		}
		more := true
		if w.after == nil || at.beyond(*w.after, w.query.Desc) {
			if more, err = w.visitEntry(at, multi); err != nil {
				return false, err
			}
		}
		if err = w.pause.step(); err != nil || !more {
			w.after = &place{bytes.Clone(at.tuple), bytes.Clone(at.id)}
			return false, err
		}
		ok = w.next()
	}
	return true, w.it.Error()
}

// Seek goes to the first key that may be beyond w.after.
func (w *walk) seek() bool {
	if w.after == nil {
		if w.query.Desc {
			return w.it.Last()
		}
		return w.it.First()
	}
	if w.query.Desc {
		return w.it.SeekLT(keys.Successor(w.afterKey()))
	}
	return w.it.SeekGE(w.afterKey())
}

// afterKey begins the keys that may be at w.after.
func (w *walk) afterKey() []byte {
	key := append(bytes.Clone(w.plan.prefix), keys.Head(w.after.tuple)...)
	if len(w.after.tuple) <= keys.MaxPart && !w.uniqueEntries() {
		key = append(key, keys.Head(w.after.id)...)
	}
	return key
}

// uniqueEntries reports whether keys hold no id.
func (w *walk) uniqueEntries() bool { return w.plan.ix != nil && w.plan.ix.Unique }

func (w *walk) next() bool {
	if w.query.Desc {
		return w.it.Prev()
	}
	return w.it.Next()
}

// entry returns the place that the current key stands for, in the iterator's
// memory. In what is long it is not the full one.
func (w *walk) entry() (at place, multi bool, err error) {
	key := w.it.Key()
	if w.plan.ix == nil {
		return place{id: key[len(w.plan.prefix):]}, false, nil
	}
	value, err := w.it.ValueAndErr()
	if err != nil {
		return place{}, false, err
	}
	base := len(keys.Index(w.state.ID, w.plan.ix.ID)) + 1
	tuple, id, multi, ok := keys.ParseEntry(key[base:], value)
	if !ok {
		return place{}, false, fmt.Errorf("index %q: malformed entry", w.plan.ix.Name)
	}
	if w.plan.fixed {
		return place{id: id}, false, nil
	}
	return place{tuple, id}, multi, nil
}

// visitEntry visits the document of an entry, unless the filter refuses it or it
// has its place at another of its entries.
func (w *walk) visitEntry(at place, multi bool) (more bool, err error) {
	if w.bare {
		return w.visit(nil), nil
	}
	if multi {
		if here, err := w.isPlace(at); err != nil || !here {
			return true, err
		}
	}
	doc, err := w.fetch(at.id)
	if err != nil {
		return false, err
	}
	if ok, err := w.matches(doc); err != nil || !ok {
		return true, err
	}
	return w.visit(doc), nil
}

// matches reports whether the filter selects a document.
func (w *walk) matches(doc bson.Raw) (bool, error) {
	ok := w.query.Filter.MatchWithin(w.pause.Meter, doc)
	return ok, w.pause.Err()
}

// maxPlaces is how many documents' places a walk remembers. A document that has
// thousands of entries would be read and expanded for each of them.
const maxPlaces = 1024

// isPlace reports whether a document with several entries has its place at this one.
func (w *walk) isPlace(at place) (bool, error) {
	if part, ok := w.places[string(at.id)]; ok {
		return bytes.Equal(part, at.tuple), nil
	}
	doc, err := w.fetch(at.id)
	if err != nil {
		return false, err
	}
	tuple, err := w.tupleOf(doc)
	if err != nil {
		return false, err
	}
	if w.places == nil || len(w.places) >= maxPlaces {
		w.places = make(map[string][]byte)
	}
	part := keys.AppendPart(nil, tuple)
	w.places[string(at.id)] = part
	return bytes.Equal(part, at.tuple), nil
}

// tupleOf is the tuple by which a document has its place.
func (w *walk) tupleOf(doc bson.Raw) ([]byte, error) {
	if w.plan.ix == nil || w.plan.fixed {
		return nil, nil
	}
	of := w.plan.ix.Keys
	key, err := indexkey.NewExpander(w.pause.Meter, 0).First(doc, of, w.query.Desc)
	if err != nil {
		return nil, fmt.Errorf("index %q: %w", w.plan.ix.Name, err)
	}
	return keys.AppendTuple(nil, of, key), nil
}

// fetch returns the document with an id, in an iterator's memory.
func (w *walk) fetch(id []byte) (bson.Raw, error) {
	if w.plan.ix == nil {
		return w.it.ValueAndErr()
	}
	return w.fetchByKey(append(keys.Documents(w.state.ID), id...))
}

func (w *walk) fetchByKey(key []byte) (bson.Raw, error) {
	if w.docs == nil {
		prefix := keys.Documents(w.state.ID)
		var err error
		w.docs, err = w.it.Clone(pebble.CloneOptions{IterOptions: &pebble.IterOptions{LowerBound: prefix, UpperBound: keys.Successor(prefix)}})
		if err != nil {
			return nil, err
		}
	}
	// As a prefix, because then the tables' filters spare it those that have not the key.
	if w.docs.SeekPrefixGE(key) && bytes.Equal(w.docs.Key(), key) {
		return w.docs.ValueAndErr()
	}
	if err := w.docs.Error(); err != nil {
		return nil, err
	}
	return nil, errors.New("an index entry has no document")
}
