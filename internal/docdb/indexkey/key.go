// Package indexkey makes the keys under which the indexes of a collection hold a document, as
// MongoDB makes them, and the position that a document has in an index's order.
package indexkey

import (
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/order"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// A Key is one path of an index or of an order.
type Key struct {
	Path string
	Desc bool
}

// An Error says why an index cannot hold a document. It is docdb.ErrInvalid.
type Error struct {
	Index string // its name; empty where only its keys are known
	Path  string // the one of its paths that leads to the cause
	// Problem says what is wrong, in words that a client may see: it holds no
	// value of the document.
	Problem string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%v: the index %q cannot hold the document, because of its path %q: %s", wire.ErrInvalid, e.Index, e.Path, e.Problem)
}

// Is reports that an Error is docdb.ErrInvalid.
func (e *Error) Is(target error) bool { return target == wire.ErrInvalid }

// All returns the keys under which an index holds the document: one for
// most, several where a path leads to an array. *Error if two paths lead
// to different arrays, or if a numeric part of a path is both an index of an array and a
// name in one of its documents. The keys are distinct, in ascending order of
// their values (whatever their Desc is), and share the document's memory. There may be
// more than an engine takes: see Expander.
func All(doc bson.Raw, keys []Key) ([][]bson.RawValue, error) {
	var rows [][]bson.RawValue
	err := NewUnbounded().Each(doc, keys, func(row []bson.RawValue) error {
		rows = append(rows, slices.Clone(row))
		return nil
	})
	if err != nil {
		return nil, err
	}
	ascending := func(a, b []bson.RawValue) int { return slices.CompareFunc(a, b, compareCells) }
	slices.SortStableFunc(rows, ascending)
	return slices.CompactFunc(rows, func(a, b []bson.RawValue) bool { return ascending(a, b) == 0 }), nil
}

// First returns the key that a walk in the order of keys, reversed if desc, meets first.
// Errors as in Each.
func (x *Expander) First(doc bson.Raw, keys []Key, desc bool) (first []bson.RawValue, err error) {
	err = x.Each(doc, keys, func(key []bson.RawValue) error {
		if first == nil || compareKeys(key, first, keys, desc) < 0 {
			first = append(first[:0], key...)
		}
		return nil
	})
	return first, err
}

// compareKeys compares two keys in the order of an index, reversed if desc: they have one
// value for each path of the index.
func compareKeys(a, b []bson.RawValue, index []Key, desc bool) int {
	for i, path := range index {
		c := compareCells(a[i], b[i])
		if c != 0 && path.Desc != desc {
			return -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// compareCells compares two values of keys, of which many are the same place in a
// document and may be long.
func compareCells(a, b bson.RawValue) int {
	if a.Type == b.Type && sameMemory(a.Value, b.Value) {
		return 0
	}
	return order.Compare(a, b)
}

// sameMemory tells whether two values are one place in a document.
func sameMemory(a, b []byte) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }
