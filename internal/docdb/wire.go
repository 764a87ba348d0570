package docdb

import (
	"bytes"
	"encoding/binary"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// This file walks BSON without decoding it. It is written for the hot path
// (every write is validated, every candidate of a filter is looked into), so it
// works on sub-slices and allocates nothing, and it never panics: what is
// malformed simply ends.

// int32At reads the little-endian int32 that b begins with; b has 4 bytes.
func int32At(b []byte) int { return int(int32(binary.LittleEndian.Uint32(b))) }

// body returns the elements of a document or array without its length and its
// terminator, empty if it is malformed.
func body(doc []byte) []byte {
	if len(doc) < 5 {
		return nil
	}
	n := int32At(doc)
	if n < 5 || n > len(doc) {
		return nil
	}
	return doc[4 : n-1]
}

// next splits the first element off a document's body. It reports false at the
// end and at what is malformed.
func next(b []byte) (name []byte, v bson.RawValue, rest []byte, ok bool) {
	name, value, rest := Split(b)
	if name == nil {
		return nil, bson.RawValue{}, nil, false
	}
	return name, bson.RawValue{Type: bson.Type(b[0]), Value: value}, rest, true
}

// lookup finds a document's first element of that name; none once the meter has ended
// the work.
func lookup(m *Meter, doc []byte, name string) (bson.RawValue, bool) {
	if !m.Take(0) {
		return bson.RawValue{}, false
	}
	for b, steps := body(doc), 1; ; steps++ {
		got, v, rest, ok := next(b)
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

// elementAt finds the element of an array at an index. It counts, whatever the
// elements are called.
func elementAt(array []byte, index int) (bson.RawValue, bool) {
	for b := body(array); index >= 0; index-- {
		_, v, rest, ok := next(b)
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

// valueSize returns how many of b's bytes the value of type t that b begins
// with takes, or -1 if there is no whole value or no such type.
func valueSize(t bson.Type, b []byte) int {
	n := -1
	switch t {
	case bson.TypeNull, bson.TypeUndefined, bson.TypeMinKey, bson.TypeMaxKey:
		n = 0
	case bson.TypeBoolean:
		n = 1
	case bson.TypeInt32:
		n = 4
	case bson.TypeDouble, bson.TypeDateTime, bson.TypeInt64, bson.TypeTimestamp:
		n = 8
	case bson.TypeObjectID:
		n = 12
	case bson.TypeDecimal128:
		n = 16
	case bson.TypeRegex:
		n = regexSize(b)
	default:
		n = prefixedSize(t, b)
	}
	if n > len(b) {
		return -1
	}
	return n
}

// prefixedSize is valueSize for the types that begin with a length.
func prefixedSize(t bson.Type, b []byte) int {
	if len(b) < 4 {
		return -1
	}
	n := int32At(b)
	switch t {
	case bson.TypeString, bson.TypeJavaScript, bson.TypeSymbol:
		if n >= 1 {
			return 4 + n
		}
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		if n >= 5 {
			return n
		}
	case bson.TypeBinary:
		if n >= 0 {
			return 5 + n
		}
	case bson.TypeDBPointer:
		if n >= 1 {
			return 4 + n + 12
		}
	case bson.TypeCodeWithScope:
		if n >= 14 {
			return n
		}
	}
	return -1
}

// regexSize returns the size of two strings that end with NUL, or -1.
func regexSize(b []byte) int {
	first := bytes.IndexByte(b, 0)
	if first < 0 {
		return -1
	}
	second := bytes.IndexByte(b[first+1:], 0)
	if second < 0 {
		return -1
	}
	return first + second + 2
}

// stringBytes returns the bytes of a string, symbol or code value without its
// length and terminator.
func stringBytes(b []byte) []byte {
	if len(b) < 5 {
		return nil
	}
	n := int32At(b)
	if n < 1 || 4+n > len(b) {
		return nil
	}
	return b[4 : 3+n]
}

// regexParts returns the pattern and the options of a regular expression.
func regexParts(b []byte) (pattern, options []byte) {
	pattern, rest, _ := bytes.Cut(b, []byte{0})
	options, _, _ = bytes.Cut(rest, []byte{0})
	return pattern, options
}

// codeParts returns the code and the scope of a code-with-scope.
func codeParts(b []byte) (code, scope []byte) {
	if len(b) < 8 {
		return nil, nil
	}
	code = stringBytes(b[4:])
	at := 8 + int32At(b[4:])
	if at < 8 || at > len(b) {
		return code, nil
	}
	return code, b[at:]
}
