package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// A record is a document as it is stored: its key, and what the indexes hold of it.
type record struct {
	key     []byte
	id      []byte // the part of key that is the _id
	entries []entry
	// err is why the index after those of entries can't hold the document. It
	// is told by checkUnique, since the _id and the indexes before come first.
	err error
}

// An entry is a key that an index holds for a document.
type entry struct {
	key, value []byte
	unique     *index // of which no other document may have the key; nil if any may
}

// newRecord returns the record of a document.
func newRecord(state *collState, doc bson.Raw) record {
	prefix := documentPrefix(state.id)
	key := appendPart(prefix, appendValue(make([]byte, 0, 32), docdb.ID(doc)))
	r := record{key: key, id: key[len(prefix):]}
	for _, ix := range state.indexes {
		if r.entries, r.err = appendEntries(r.entries, state.id, ix, doc, r.id); r.err != nil {
			break
		}
	}
	return r
}

// appendEntries appends what an index holds of a document; ErrInvalid if it can't.
func appendEntries(dst []entry, coll uint32, ix *index, doc bson.Raw, id []byte) ([]entry, error) {
	rows, err := docdb.IndexKeys(doc, ix.Keys)
	if err != nil {
		return dst, fmt.Errorf("index %q: %w", ix.Name, err)
	}
	prefix := indexPrefix(coll, ix.id)
	multi := len(rows) > 1
	if multi {
		dst = append(dst, entry{key: slices.Concat(prefix, []byte{indexMulti}, id)})
	}
	prefix = append(prefix, indexEntries)
	for _, row := range rows {
		tuple := appendTuple(make([]byte, 0, 64), ix.Keys, row)
		key := make([]byte, 0, len(prefix)+min(len(tuple), maxPart+32)+len(id))
		key = appendPart(append(key, prefix...), tuple)
		length := len(key) - len(prefix)
		if ix.Unique {
			dst = append(dst, entry{key, entryValue(length, multi, id), ix})
		} else {
			dst = append(dst, entry{append(key, id...), entryValue(length, multi, nil), nil})
		}
	}
	return dst, nil
}

// stripes returns the stripes to hold while the record is checked and written.
// Keys that a write takes away need none: who finds such a key free has seen
// the write, and its own is behind that one in the log.
func (r record) stripes(dst []uint16, s *stripes) []uint16 {
	dst = append(dst, s.of(r.key))
	for _, en := range r.entries {
		if en.unique != nil {
			dst = append(dst, s.of(en.key))
		}
	}
	return dst
}

// checkUnique returns a *docdb.DuplicateError if another document has one of the
// record's unique keys, and docdb.ErrInvalid if an index can't hold the record.
func (e *Engine) checkUnique(r record) error {
	for _, en := range r.entries {
		if en.unique == nil {
			continue
		}
		taken, err := e.taken(e.db, en, r.id)
		if err != nil {
			return err
		}
		if taken {
			return &docdb.DuplicateError{Index: en.unique.Name}
		}
	}
	return r.err
}

// taken reports whether a document other than id has the entry's key.
func (e *Engine) taken(from pebble.Reader, en entry, id []byte) (bool, error) {
	value, closer, err := from.Get(en.key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading index %q: %w", en.unique.Name, err)
	}
	taken := !bytes.Equal(owner(value), id)
	return taken, closer.Close()
}

// setEntries writes the entries of a new document, or of one that replaces another
// whose entries are old: only what differs.
func setEntries(batch *pebble.Batch, old, entries []entry) error {
	if len(old) == 0 {
		for _, en := range entries {
			if err := batch.Set(en.key, en.value, nil); err != nil {
				return err
			}
		}
		return nil
	}
	byKey := func(a, b entry) int { return bytes.Compare(a.key, b.key) }
	slices.SortFunc(old, byKey)
	slices.SortFunc(entries, byKey)
	for len(old) > 0 || len(entries) > 0 {
		c := 0
		switch {
		case len(old) == 0:
			c = 1
		case len(entries) == 0:
			c = -1
		default:
			c = byKey(old[0], entries[0])
		}
		var err error
		if c < 0 {
			err = batch.Delete(old[0].key, nil)
		} else if c > 0 || !bytes.Equal(old[0].value, entries[0].value) {
			err = batch.Set(entries[0].key, entries[0].value, nil)
		}
		if err != nil {
			return err
		}
		if c <= 0 {
			old = old[1:]
		}
		if c >= 0 {
			entries = entries[1:]
		}
	}
	return nil
}
