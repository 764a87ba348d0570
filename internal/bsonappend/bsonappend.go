// Package bsonappend writes BSON: its functions append to a slice, as those of strconv do,
// and are the only place that knows how a document, a name and a value are laid out. They
// check nothing: that a name has no NUL, or that a document is not too large, is for the
// caller to see to.
//
// A document or array is a Begin, elements, and an End; an element is a Header or an Index,
// and a value.
package bsonappend

import (
	"encoding/binary"
	"math"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Begin begins a document or array with room for its length, and returns where it begins,
// for End.
func Begin(dst []byte) (_ []byte, at int) { return append(dst, 0, 0, 0, 0), len(dst) }

// End ends the document or array that begins at a place.
func End(dst []byte, at int) []byte {
	dst = append(dst, 0)
	EndCode(dst, at)
	return dst
}

// EndCode ends code with a scope, which begins as a document does and has the code, a
// String, and a document in it.
func EndCode(dst []byte, at int) { binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at)) }

// Header appends the type and the name of an element.
func Header[N string | []byte](dst []byte, t bson.Type, name N) []byte {
	return append(append(append(dst, byte(t)), name...), 0)
}

// Index appends the type and the name of an array's element.
func Index(dst []byte, t bson.Type, i int) []byte {
	return append(strconv.AppendInt(append(dst, byte(t)), int64(i), 10), 0)
}

// Element appends an element whose value is there already.
func Element[N string | []byte](dst []byte, name N, v bson.RawValue) []byte {
	return append(Header(dst, v.Type, name), v.Value...)
}

// String appends a string, a symbol or code.
func String[S string | []byte](dst []byte, s S) []byte {
	return append(append(Int32(dst, int32(len(s)+1)), s...), 0)
}

// BeginString begins a String whose bytes are still to come, and returns where it begins, for
// EndString.
func BeginString(dst []byte) (_ []byte, at int) { return Begin(dst) }

// EndString ends the string that begins at a place.
func EndString(dst []byte, at int) []byte {
	dst = append(dst, 0)
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// Boolean appends a boolean.
func Boolean(dst []byte, yes bool) []byte {
	if yes {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// Int32 appends an integer of 32 bits.
func Int32(dst []byte, n int32) []byte { return binary.LittleEndian.AppendUint32(dst, uint32(n)) }

// Int64 appends an integer of 64 bits, or a date, as milliseconds since 1970.
func Int64(dst []byte, n int64) []byte { return binary.LittleEndian.AppendUint64(dst, uint64(n)) }

// Double appends a double.
func Double(dst []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
}

// Decimal128 appends a decimal.
func Decimal128(dst []byte, d bson.Decimal128) []byte {
	high, low := d.GetBytes()
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, low), high)
}

// Regex appends a regular expression. The order of its options is to be that of the alphabet.
func Regex(dst, pattern, options []byte) []byte {
	return append(append(append(append(dst, pattern...), 0), options...), 0)
}

// Timestamp appends a timestamp of seconds and an increment.
func Timestamp(dst []byte, seconds, increment uint32) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(dst, increment), seconds)
}

// BeginBinary begins a binary value whose bytes are still to come, and returns where they
// begin, for EndBinary.
func BeginBinary(dst []byte, subtype byte) (_ []byte, at int) {
	dst = append(dst, 0, 0, 0, 0, subtype)
	if subtype == bson.TypeBinaryBinaryOld { // repeats the length within the bytes
		dst = append(dst, 0, 0, 0, 0)
	}
	return dst, len(dst)
}

// EndBinary ends the binary value whose bytes begin at a place.
func EndBinary(dst []byte, at int, subtype byte) {
	n := uint32(len(dst) - at)
	if subtype == bson.TypeBinaryBinaryOld {
		binary.LittleEndian.PutUint32(dst[at-4:], n)
		at, n = at-4, n+4
	}
	binary.LittleEndian.PutUint32(dst[at-5:], n)
}
