package docdb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	// MaxIndexEntries is how many different keys one document may have in all the
	// indexes of its collection together. It is MongoDB's number, of which it
	// allows so many in one index (indexMaxNumGeneratedKeysPerDocument, which
	// bounds what is generated for geospatial indexes).
	MaxIndexEntries = 100_000
	// MaxIndexBytes is the size of what the indexes of a collection together may hold of
	// one document, as the storage counts it: as much as the largest document.
	// MongoDB has had no such limit since 4.2, before which a key had at most 1,024
	// bytes; here 30 KB of a document could make gigabytes, which the
	// process would have to hold at once, since a document and its entries are one write.
	MaxIndexBytes = MaxDocumentSize
)

// An IndexKeyError says why an index cannot hold a document. It is ErrInvalid.
type IndexKeyError struct {
	Index string // its name; empty where only its keys are known
	Path  string // the one of its paths that leads to the cause
	// Problem says what is wrong, in words that a client may see: it holds no
	// value of the document.
	Problem string
}

// Error implements error.
func (e *IndexKeyError) Error() string {
	return fmt.Sprintf("%v: the index %q cannot hold the document, because of its path %q: %s", ErrInvalid, e.Index, e.Path, e.Problem)
}

// Is reports that an IndexKeyError is ErrInvalid.
func (e *IndexKeyError) Is(target error) bool { return target == ErrInvalid }

// A segment is one part of a dotted path.
type segment struct {
	name  string
	index int // the array index that name is, or -1
}

func splitPath(path string) []segment {
	parts := strings.Split(path, ".")
	segments := make([]segment, len(parts))
	for i, part := range parts {
		segments[i] = segment{part, arrayIndex(part)}
	}
	return segments
}

// arrayIndex returns the index that s is the canonical form of ("0", "17", not
// "01"), or -1.
func arrayIndex(s string) int {
	if s == "" || len(s) > 9 || s[0] == '0' && len(s) > 1 {
		return -1
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
	}
	n, _ := strconv.Atoi(s)
	return n
}

var (
	nullValue      = bson.RawValue{Type: bson.TypeNull}
	undefinedValue = bson.RawValue{Type: bson.TypeUndefined}
)

// IndexKeys returns the keys under which an index holds the document: one for
// most, several where a path leads to an array. *IndexKeyError if two paths lead
// to different arrays, or if a numeric part of a path is both an index of an array and a
// name in one of its documents. The keys are distinct, in ascending order of
// their values (whatever Key.Desc is), and share the document's memory. There may be
// more than an engine takes: see Expander.
func IndexKeys(doc bson.Raw, keys []Key) ([][]bson.RawValue, error) {
	var rows [][]bson.RawValue
	err := NewExpander(context.Background(), 0).Each(doc, keys, func(row []bson.RawValue) error {
		rows = append(rows, slices.Clone(row))
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, compareRows)
	return slices.CompactFunc(rows, func(a, b []bson.RawValue) bool { return compareRows(a, b) == 0 }), nil
}

func compareRows(a, b []bson.RawValue) int {
	for i := range a {
		if c := compareCells(a[i], b[i]); c != 0 {
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
	return Compare(a, b)
}

// sameMemory tells whether two values are one place in a document.
func sameMemory(a, b []byte) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// PositionOf returns the document's place in the order of keys (empty: by _id);
// desc as in the Query. Where paths lead to an array the place is the first of
// its keys that a walk in that direction meets: the smallest element, in a descending
// walk the largest. It shares the document's memory.
func PositionOf(doc bson.Raw, keys []Key, desc bool) Position {
	p := Position{ID: ID(doc)}
	if len(keys) == 0 {
		return p
	}
	var err error
	if p.Keys, err = firstKey(NewExpander(context.Background(), 0), doc, keys, desc); err == nil {
		return p
	}
	// No index on these keys admits the document, so it has no place. Each
	// path by itself has one, or null.
	p.Keys = make([]bson.RawValue, len(keys))
	for i := range keys {
		p.Keys[i] = nullValue
		if row, err := firstKey(NewExpander(context.Background(), 0), doc, keys[i:i+1], desc); err == nil {
			p.Keys[i] = row[0]
		}
	}
	return p
}

// Position is PositionOf for a document that an index on keys holds, within the
// expander's bounds. Errors as in Each.
func (x *Expander) Position(doc bson.Raw, keys []Key, desc bool) (Position, error) {
	row, err := firstKey(x, doc, keys, desc)
	return Position{ID: ID(doc), Keys: row}, err
}

// firstKey returns the key that a walk meets first.
func firstKey(x *Expander, doc bson.Raw, keys []Key, desc bool) (first []bson.RawValue, err error) {
	order := rowOrder(keys, desc)
	err = x.Each(doc, keys, func(row []bson.RawValue) error {
		if first == nil || order(row, first) < 0 {
			first = append(first[:0], row...)
		}
		return nil
	})
	return first, err
}

// ComparePositions compares two places in the order of keys (empty: by _id),
// reversed if desc: the order of Find. The positions have one value for each key.
func ComparePositions(a, b Position, keys []Key, desc bool) int {
	byID := Compare(a.ID, b.ID)
	if desc {
		byID = -byID
	}
	if len(keys) == 0 {
		return byID
	}
	return cmp.Or(rowOrder(keys, desc)(a.Keys, b.Keys), byID)
}

// rowOrder compares index keys in the direction of a walk.
func rowOrder(keys []Key, desc bool) func(a, b []bson.RawValue) int {
	return func(a, b []bson.RawValue) int {
		for i, key := range keys {
			c := compareCells(a[i], b[i])
			if c != 0 && key.Desc != desc {
				return -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	}
}
