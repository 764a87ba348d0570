package docdb

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

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
// most, several where a path leads to an array. ErrInvalid if two paths lead
// to different arrays, or if a numeric part of a path is both an index of an array and a
// name in one of its documents. The keys are distinct, in ascending order of
// their values (whatever Key.Desc is), and share the document's memory.
func IndexKeys(doc bson.Raw, keys []Key) ([][]bson.RawValue, error) {
	row := make([]bson.RawValue, len(keys))
	for i, key := range keys {
		v, plain := plainValue(doc, key.Path)
		if !plain {
			return multiKeys(doc, keys)
		}
		row[i] = v
	}
	return [][]bson.RawValue{row}, nil
}

// plainValue finds the value at a path, null if it is missing, and reports
// false when an array is met on the way.
func plainValue(doc []byte, path string) (v bson.RawValue, plain bool) {
	for {
		name, rest, more := strings.Cut(path, ".")
		v, ok := lookup(doc, name)
		switch {
		case !ok:
			return nullValue, true
		case v.Type == bson.TypeArray:
			return v, false
		case !more:
			return v, true
		case v.Type != bson.TypeEmbeddedDocument:
			return nullValue, true
		}
		doc, path = v.Value, rest
	}
}

// multiKeys is IndexKeys for a document with arrays. It follows mongod's
// BtreeKeyGenerator, whose rules are not those of filters in every corner.
func multiKeys(doc bson.Raw, keys []Key) ([][]bson.RawValue, error) {
	at := make([]cursor, len(keys))
	for i, key := range keys {
		at[i].rest = splitPath(key.Path)
	}
	var out [][]bson.RawValue
	if err := expand(doc, at, make([]bson.RawValue, len(keys)), &out); err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, compareRows)
	return slices.CompactFunc(out, func(a, b []bson.RawValue) bool { return compareRows(a, b) == 0 }), nil
}

func compareRows(a, b []bson.RawValue) int {
	for i := range a {
		if c := Compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

// A cursor is how far one path of an index has been followed.
type cursor struct {
	rest []segment // empty: the path's value is known
	// positional: rest[0] is an index of the array being expanded, so the path
	// goes on at that element, the same for every element of the array.
	positional bool
	element    bson.RawValue // the array's element at that index
	target     bson.RawValue // what following rest from the array leads to, up to the next array
	found      bool          // whether target is there
	after      []segment     // what is left of rest at target
}

// expand follows all paths from a document; when they meet an array it goes on
// from each of its elements.
func expand(doc []byte, at []cursor, row []bson.RawValue, out *[][]bson.RawValue) error {
	var array bson.RawValue
	var through []int // the paths that lead through array
	whole := false    // an array within an array reached by its index counts as one value
	for i := range at {
		c := &at[i]
		if len(c.rest) == 0 {
			continue
		}
		v, nested, err := c.step(doc)
		if err != nil {
			return err
		}
		whole = whole || nested
		if v.Type != bson.TypeArray {
			row[i], c.rest = v, nil
			continue
		}
		if len(through) > 0 && !sameMemory(array.Value, v.Value) {
			return invalid("an index leads to two arrays in one document")
		}
		array, through = v, append(through, i)
	}
	if len(through) == 0 {
		*out = append(*out, row)
		return nil
	}
	return expandArray(array, at, row, through, whole, out)
}

// step follows a path to its next array or its end, null if it is missing.
func (c *cursor) step(doc []byte) (v bson.RawValue, nested bool, err error) {
	_, named := lookup(doc, c.rest[0].name)
	if named && c.positional {
		return v, false, invalid("%q is both an index of an array and a name in its documents", c.rest[0].name)
	}
	ok := false
	switch {
	case named:
		v, c.rest, ok = follow(doc, c.rest)
	case c.positional:
		nested = c.element.Type == bson.TypeArray
		v, c.rest, ok = c.target, c.after, c.found
	}
	if !ok {
		v, c.rest = nullValue, nil
	}
	return v, nested, nil
}

// follow goes down documents by name to an array, to the end of the path, or
// nowhere, and returns what is left of the path there.
func follow(doc []byte, path []segment) (v bson.RawValue, rest []segment, ok bool) {
	for {
		v, ok = lookup(doc, path[0].name)
		path = path[1:]
		if !ok || v.Type == bson.TypeArray || len(path) == 0 {
			return v, path, ok
		}
		if v.Type != bson.TypeEmbeddedDocument {
			return v, path, false
		}
		doc = v.Value
	}
}

// expandArray goes on from each element of an array.
func expandArray(array bson.RawValue, at []cursor, row []bson.RawValue, through []int, whole bool, out *[][]bson.RawValue) error {
	elements := body(array.Value)
	if len(elements) == 0 {
		for i := range at {
			at[i].positional = false
		}
		return expandElement(undefinedValue, undefinedValue, at, row, through, out)
	}
	for i := range at {
		at[i].enter(array.Value)
	}
	for {
		_, v, rest, ok := next(elements)
		if !ok {
			return nil
		}
		ends := v // what a path that ends at this array gets
		if whole {
			ends = array
		}
		if err := expandElement(v, ends, at, row, through, out); err != nil {
			return err
		}
		elements = rest
	}
}

// enter looks up the element that a path names by its index.
func (c *cursor) enter(array []byte) {
	c.positional = false
	if len(c.rest) == 0 || c.rest[0].index < 0 {
		return
	}
	c.element, c.positional = elementAt(array, c.rest[0].index)
	if !c.positional {
		return
	}
	c.target, c.after, c.found = c.element, c.rest[1:], true
	if c.element.Type != bson.TypeArray && len(c.after) > 0 {
		c.found = false
		if c.element.Type == bson.TypeEmbeddedDocument {
			c.target, c.after, c.found = follow(c.element.Value, c.after)
		}
	}
}

func expandElement(v, ends bson.RawValue, at []cursor, row []bson.RawValue, through []int, out *[][]bson.RawValue) error {
	at, row = slices.Clone(at), slices.Clone(row)
	for _, i := range through {
		if len(at[i].rest) == 0 {
			row[i] = ends
		}
	}
	var doc []byte
	if v.Type == bson.TypeEmbeddedDocument {
		doc = v.Value
	}
	return expand(doc, at, row, out)
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
	rows, err := IndexKeys(doc, keys)
	if err != nil {
		// No index on these keys admits the document, so it has no place. Each
		// path by itself has one, or null.
		p.Keys = make([]bson.RawValue, len(keys))
		for i := range keys {
			p.Keys[i] = nullValue
			if rows, err := IndexKeys(doc, keys[i:i+1]); err == nil {
				p.Keys[i] = slices.MinFunc(rows, rowOrder(keys[i:i+1], desc))[0]
			}
		}
		return p
	}
	p.Keys = slices.MinFunc(rows, rowOrder(keys, desc))
	return p
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
			c := Compare(a[i], b[i])
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
