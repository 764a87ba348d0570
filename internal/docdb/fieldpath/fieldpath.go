// Package fieldpath has dotted paths into documents ("lines.0.sku"), as filters and indexes
// follow them: which paths are good, what their parts are, and how a part is looked up.
package fieldpath

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/meter"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// MaxLength is the length of the longest path in a filter or index, in bytes.
const MaxLength = 255

// Problem says what is wrong with a dotted path in a filter, an index or a
// projection, or nothing.
func Problem(path string) string {
	switch {
	case path == "":
		return "it is empty"
	case len(path) > MaxLength:
		return fmt.Sprintf("it is longer than %d bytes", MaxLength)
	case !utf8.ValidString(path) || strings.IndexByte(path, 0) >= 0:
		return "it is not UTF-8 without NUL"
	}
	for segment := range strings.SplitSeq(path, ".") {
		if segment == "" {
			return "a part of it is empty"
		}
		if segment[0] == '$' {
			return "a part of it begins with $"
		}
	}
	return ""
}

// A Segment is one part of a dotted path.
type Segment struct {
	Name  string
	Index int // the array index that Name is, or -1
}

// Split returns the parts of a path.
func Split(path string) []Segment {
	parts := strings.Split(path, ".")
	segments := make([]Segment, len(parts))
	for i, part := range parts {
		segments[i] = Segment{part, arrayIndex(part)}
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

// Lookup finds a document's first element of that name; none once the meter has ended
// the work.
func Lookup(m *meter.Meter, doc []byte, name string) (bson.RawValue, bool) {
	if !m.Take(0) {
		return bson.RawValue{}, false
	}
	for b, steps := wire.Elements(doc), 1; ; steps++ {
		got, v, rest, ok := wire.Next(b)
		if !ok {
			m.Take(steps)
			return bson.RawValue{}, false
		}
		if string(got) == name {
			m.Take(steps)
			return v, true
		}
		b = rest
	}
}

// ElementAt finds the element of an array at an index. It counts, whatever the
// elements are called.
func ElementAt(array []byte, index int) (bson.RawValue, bool) {
	for b := wire.Elements(array); index >= 0; index-- {
		_, v, rest, ok := wire.Next(b)
		if !ok {
			break
		}
		if index == 0 {
			return v, true
		}
		b = rest
	}
	return bson.RawValue{}, false
}
