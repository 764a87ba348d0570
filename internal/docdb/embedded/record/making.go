package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/indexkey"
	"github.com/orgd/orgd/internal/docdb/meter"
)

// making is the entries of one document on their way.
type making struct {
	m   *Recorder
	x   *indexkey.Expander
	doc bson.Raw
	id  []byte

	entries []entry
	keys    int // of all indexes that are done
	size    int // of entries, but for the index that is being added to
	encoded int
}

func (m *Recorder) entriesOf(doc bson.Raw, id []byte) *making {
	steps := maxSteps
	if m.unbounded {
		steps = 0
	}
	return &making{m: m, x: indexkey.NewExpander(meter.WithoutTurns(m.ctx), steps), doc: doc, id: id, entries: make([]entry, 0, len(m.state.Indexes))}
}

// add adds the entries of an index.
func (d *making) add(ix *catalog.Index) error {
	p := part{d: d, ix: ix, start: len(d.entries), prefix: append(keys.Index(d.m.state.ID, ix.ID), keys.IndexEntries)}
	if err := d.x.Each(d.doc, ix.Keys, p.add); err != nil {
		d.entries = d.entries[:p.start]
		return d.refusal(ix, err)
	}
	p.finish()
	return nil
}

// refusal names the index in an error.
func (d *making) refusal(ix *catalog.Index, err error) error {
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
		x := indexkey.NewExpander(meter.WithoutTurns(context.Background()), maxSteps)
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
	ix     *catalog.Index
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
	m.tuple = keys.AppendTuple(m.tuple[:0], p.ix.Keys, row)
	if p.d.encoded += len(m.tuple); p.d.encoded > maxEncoded && !m.unbounded {
		return &docdb.IndexKeyError{Problem: "the values to index are too long for so many keys"}
	}
	start := len(p.prefix)
	m.key = keys.AppendPart(append(m.key[:0], p.prefix...), m.tuple)
	length := len(m.key) - start
	if p.has(m.key[start:]) {
		return nil
	}
	en := entry{}
	if p.ix.Unique {
		en.Unique, en.Value = p.ix, keys.EntryValue(length, p.d.id)
	} else {
		en.Value = keys.EntryValue(length, nil)
		m.key = append(m.key, p.d.id...)
	}
	en.Key = bytes.Clone(m.key)
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
		return en.Key[len(p.prefix):]
	}
	return en.Key[len(p.prefix) : len(en.Key)-len(p.d.id)]
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
			en.Value[0] |= keys.MultiEntry
		}
		mark := entry{Key: slices.Concat(p.prefix[:len(p.prefix)-1], []byte{keys.IndexMulti}, d.id)}
		d.entries = append(d.entries, mark)
		p.size += mark.size()
	}
	d.size += p.size
}
