// Package record writes documents: it makes the entries that indexes hold of them, checks
// that unique keys are free while it holds their locks, and writes both in one batch.
package record

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/embedded/store"
)

// A Record is a document as it is stored: its key, and what the indexes hold of
// it. See Recorder.
type Record struct {
	Key     []byte
	id      []byte // the part of key that is the _id
	Entries []entry
	Size    int // of the entries: see entry.size
	// Err is why the index after those of Entries cannot hold the document. CheckUnique
	// returns it, since the _id and the indexes before come first.
	Err error
}

// An entry is a key that an index holds for a document.
type entry struct {
	Key, Value []byte
	Unique     *catalog.Index // of which no other document may have the key; nil if any may
}

// size is what Size counts of the entry.
func (en entry) size() int { return len(en.Key) + len(en.Value) }

func byKey(a, b entry) int { return bytes.Compare(a.Key, b.Key) }

// AppendLocks appends the keys to hold while the record is checked and written.
// Keys that a write takes away need none: a write that finds such a key free has seen
// the first one, and is behind it in the log.
func (w *Shared) AppendLocks(dst []uint64, r Record) []uint64 {
	dst = append(dst, w.HashOf(r.Key))
	for _, en := range r.Entries {
		if en.Unique != nil {
			dst = append(dst, w.HashOf(en.Key))
		}
	}
	return dst
}

// CheckUnique returns a *docdb.DuplicateError if another document has one of the
// record's unique keys, and docdb.ErrInvalid if an index can't hold the record.
func (w *Shared) CheckUnique(r Record) error {
	for _, en := range r.Entries {
		if en.Unique == nil {
			continue
		}
		other, err := Taken(w.store.DB, en, r.id)
		if err != nil {
			return err
		}
		if other {
			return &docdb.DuplicateError{Index: en.Unique.Name}
		}
	}
	return r.Err
}

// Taken reports whether a document other than id has the entry's key.
func Taken(from pebble.Reader, en entry, id []byte) (bool, error) {
	other := false
	err := store.Seek(from, en.Key, func(value []byte) { other = !bytes.Equal(keys.Owner(value), id) })
	if err != nil {
		return false, fmt.Errorf("index %q: %w", en.Unique.Name, err)
	}
	return other, nil
}

// setEntries writes the entries of a new document, or of one that replaces another
// whose entries are old: only what differs.
func setEntries(batch *pebble.Batch, old, entries []entry) error {
	if len(old) == 0 {
		for _, en := range entries {
			if err := batch.Set(en.Key, en.Value, nil); err != nil {
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
			err = batch.Delete(old[0].Key, nil)
		} else if c > 0 || !bytes.Equal(old[0].Value, entries[0].Value) {
			err = batch.Set(entries[0].Key, entries[0].Value, nil)
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

// CheckNew returns a *docdb.DuplicateError if a new document's _id or one of
// its unique keys is taken.
func (w *Shared) CheckNew(r Record) error {
	there, err := w.store.Has(r.Key)
	if err != nil {
		return err
	}
	if there {
		return &docdb.DuplicateError{Index: docdb.IDIndex}
	}
	return w.CheckUnique(r)
}
