// Package wire reads BSON without decoding it: the fields of a document in place, their
// names, whether bytes are well-formed. It is written for the hot path (every write is
// validated, every candidate of a filter is looked into), so it works on sub-slices and
// allocates nothing, and it never panics: where bytes are malformed, the document ends.
package wire

import (
	"bytes"
	"encoding/binary"

	"github.com/orgd/orgd/internal/bsonappend"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// int32At reads the little-endian int32 that b begins with; b has 4 bytes.
func int32At(b []byte) int { return int(int32(binary.LittleEndian.Uint32(b))) }

// ValueSize returns how many of b's bytes the value of type t that b begins
// with takes, or -1 if there is no whole value or no such type.
func ValueSize(t bson.Type, b []byte) int {
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

// prefixedSize is ValueSize for the types that begin with a length.
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

// StringBytes returns the bytes of a string, symbol or code value without its
// length and terminator.
func StringBytes(b []byte) []byte {
	if len(b) < 5 {
		return nil
	}
	n := int32At(b)
	if n < 1 || 4+n > len(b) {
		return nil
	}
	return b[4 : 3+n]
}

// RegexParts returns the pattern and the options of a regular expression.
func RegexParts(b []byte) (pattern, options []byte) {
	pattern, rest, _ := bytes.Cut(b, []byte{0})
	options, _, _ = bytes.Cut(rest, []byte{0})
	return pattern, options
}

// CodeParts returns the code and the scope of a code-with-scope.
func CodeParts(b []byte) (code, scope []byte) {
	if len(b) < 8 {
		return nil, nil
	}
	code = StringBytes(b[4:])
	at := 8 + int32At(b[4:])
	if at < 8 || at > len(b) {
		return code, nil
	}
	return code, b[at:]
}

// String returns a string as a BSON value.
func String(s string) bson.RawValue {
	return bson.RawValue{Type: bson.TypeString, Value: bsonappend.String(make([]byte, 0, len(s)+5), s)}
}

// The values of a type that has but one.
var (
	Null      = bson.RawValue{Type: bson.TypeNull}
	Undefined = bson.RawValue{Type: bson.TypeUndefined}
)

// ID returns the document's _id, its first element; the zero value if it has none.
// It shares the document's memory.
func ID(doc bson.Raw) bson.RawValue {
	name, v, _, ok := Next(Elements(doc))
	if !ok || string(name) != "_id" {
		return bson.RawValue{}
	}
	return v
}
