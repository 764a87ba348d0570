package embedded

import (
	"bytes"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// An interval is a range of encodings: lo and above, below hi; nil: no bound.
type interval struct{ lo, hi []byte }

// and returns what is in both intervals.
func (a interval) and(b interval) interval {
	if a.lo == nil || b.lo != nil && bytes.Compare(b.lo, a.lo) > 0 {
		a.lo = b.lo
	}
	if a.hi == nil || b.hi != nil && bytes.Compare(b.hi, a.hi) < 0 {
		a.hi = b.hi
	}
	return a
}

// inverted returns the interval of the same encodings with their bits inverted.
// The successors keep the bounds' sides, inclusive and exclusive, exchanged.
func (a interval) inverted() interval {
	flip := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		b = bytes.Clone(b)
		invert(b)
		return successor(b)
	}
	return interval{flip(a.hi), flip(a.lo)}
}

func point(v bson.RawValue) interval {
	encoded := appendValue(nil, v)
	return interval{encoded, successor(encoded)}
}

// intervalOf returns the encodings of the values that meet a condition.
func intervalOf(c docdb.Condition) interval {
	if len(c.Values) == 0 { // {$in: []}
		return interval{[]byte{0}, []byte{0}}
	}
	first := point(c.Values[0])
	below, above := typeBounds(first.lo[0])
	switch c.Op {
	case "$eq":
		return first
	case "$in":
		return interval{first.lo, point(c.Values[len(c.Values)-1]).hi}
	case "$gt":
		return interval{first.hi, above}
	case "$gte":
		return interval{first.lo, above}
	case "$lt":
		return interval{below, first.lo}
	case "$lte":
		return interval{below, first.hi}
	default:
		return interval{}
	}
}

// typeBounds returns the interval of values that a range operator compares with a
// value of a tag. NaN is no other number's less.
func typeBounds(tag byte) (lo, hi []byte) {
	switch tag {
	case tagNaN, tagNegative, tagZero, tagPositive:
		return []byte{tagNegative}, []byte{tagPositive + 1}
	default:
		return []byte{tag}, []byte{tag + 1}
	}
}

// conditionsOn returns those of the conditions on a path for which every value that
// meets them has an entry in an index on the path. Null is met by what is missing
// too, an array by the whole of an array, and a number in a path may be an index or
// a name: there the rules of filters and of indexes differ.
func conditionsOn(all []docdb.Condition, path string) []docdb.Condition {
	if hasNumber(path) {
		return nil
	}
	var usable []docdb.Condition
	for _, c := range all {
		if c.Path != path {
			continue
		}
		ok := true
		for _, v := range c.Values {
			if v.Type == bson.TypeNull || v.Type == bson.TypeUndefined || v.Type == bson.TypeArray || v.Type == 0 {
				ok = false
			}
		}
		if ok {
			usable = append(usable, c)
		}
	}
	return usable
}

func hasNumber(path string) bool {
	for part := range strings.SplitSeq(path, ".") {
		if strings.Trim(part, "0123456789") == "" {
			return true
		}
	}
	return false
}
