package keys

import (
	"bytes"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/filter"
)

// An Interval is a range of encodings: from Lo on and below Hi; nil: no bound.
type Interval struct{ Lo, Hi []byte }

// And returns what is in both intervals.
func (a Interval) And(b Interval) Interval {
	if a.Lo == nil || b.Lo != nil && bytes.Compare(b.Lo, a.Lo) > 0 {
		a.Lo = b.Lo
	}
	if a.Hi == nil || b.Hi != nil && bytes.Compare(b.Hi, a.Hi) < 0 {
		a.Hi = b.Hi
	}
	return a
}

// Inverted returns the interval of the same encodings with their bits inverted.
// The successors keep the bounds' sides, inclusive and exclusive, exchanged.
func (a Interval) Inverted() Interval {
	flip := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		b = bytes.Clone(b)
		invert(b)
		return Successor(b)
	}
	return Interval{flip(a.Hi), flip(a.Lo)}
}

func point(v bson.RawValue) Interval {
	encoded := AppendValue(nil, v)
	return Interval{encoded, Successor(encoded)}
}

// IntervalOf returns the encodings of the values that meet a condition.
func IntervalOf(c filter.Condition) Interval {
	if len(c.Values) == 0 { // {$in: []}
		return Interval{[]byte{0}, []byte{0}}
	}
	first := point(c.Values[0])
	below, above := typeBounds(first.Lo[0])
	switch c.Op {
	case "$eq":
		return first
	case "$in":
		return Interval{first.Lo, point(c.Values[len(c.Values)-1]).Hi}
	case "$gt":
		return Interval{first.Hi, above}
	case "$gte":
		return Interval{first.Lo, above}
	case "$lt":
		return Interval{below, first.Lo}
	case "$lte":
		return Interval{below, first.Hi}
	default:
		return Interval{}
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

// ConditionsOn returns those of the conditions on a path for which every value that
// meets them has an entry in an index on the path. Null is met by what is missing
// too, an array by the whole of an array, and a number in a path may be an index or
// a name: there the rules of filters and of indexes differ.
func ConditionsOn(all []filter.Condition, path string) []filter.Condition {
	if hasNumber(path) {
		return nil
	}
	var usable []filter.Condition
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
