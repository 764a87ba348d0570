package embedded

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
)

// A record is a document as it is stored: its key, and what the indexes hold of
// it. See recorder.
type record struct {
	key     []byte
	id      []byte // the part of key that is the _id
	entries []entry
	size    int // of the entries: see entry.size
	// err is why the index after those of entries can't hold the document. It
	// is told by checkUnique, since the _id and the indexes before come first.
	err error
}

// An entry is a key that an index holds for a document.
type entry struct {
	key, value []byte
	unique     *index // of which no other document may have the key; nil if any may
}

// size is what Size counts of the entry.
func (en entry) size() int { return len(en.key) + len(en.value) }

func byKey(a, b entry) int { return bytes.Compare(a.key, b.key) }

// appendLocks appends the keys to hold while the record is checked and written.
// Keys that a write takes away need none: who finds such a key free has seen
// the write, and its own is behind that one in the log.
func (e *Engine) appendLocks(dst []uint64, r record) []uint64 {
	dst = append(dst, e.hashOf(r.key))
	for _, en := range r.entries {
		if en.unique != nil {
			dst = append(dst, e.hashOf(en.key))
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
	taken := false
	err := seek(from, en.key, func(value []byte) { taken = !bytes.Equal(keys.Owner(value), id) })
	if err != nil {
		return false, fmt.Errorf("index %q: %w", en.unique.Name, err)
	}
	return taken, nil
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
