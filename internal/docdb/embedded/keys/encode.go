package keys

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/bsonappend"
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// This file turns BSON values into bytes that sort as docdb.Compare does, so
// that Pebble's order is the collection's. Values that compare equal encode
// equally, whatever their types: a unique key is taken by 1, 1.0 and
// NumberDecimal("1") alike. No encoding is a prefix of another one, so they can
// be put one after the other, and with all bits inverted they sort descending.
// Nothing is ever decoded: the document holds the values.

// The first byte of an encoding: the rank of the type, the sign for numbers.
// These are part of the format on disk.
const (
	tagEnd        = 0x00 // of a document or array; a shorter one sorts first
	tagMinKey     = 0x01
	tagUndefined  = 0x02
	tagNull       = 0x03
	tagNaN        = 0x10
	tagNegative   = 0x11
	tagZero       = 0x12
	tagPositive   = 0x13
	tagString     = 0x20
	tagDocument   = 0x21
	tagArray      = 0x22
	tagBinary     = 0x23
	tagObjectID   = 0x24
	tagBoolean    = 0x25
	tagDateTime   = 0x26
	tagTimestamp  = 0x27
	tagRegex      = 0x28
	tagDBPointer  = 0x29
	tagCode       = 0x2a
	tagCodeScoped = 0x2b
	tagMaxKey     = 0x7f
	tagUnknown    = 0x80 // no such BSON type; sorts last, as in docdb.Compare
)

// rankTag is the tag of a type, the same for all numbers: within a document the
// rank goes before the name, and the name before the value.
func rankTag(t bson.Type) byte {
	switch t {
	case bson.TypeMinKey:
		return tagMinKey
	case 0, bson.TypeUndefined:
		return tagUndefined
	case bson.TypeNull:
		return tagNull
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128:
		return tagNaN
	case bson.TypeString, bson.TypeSymbol:
		return tagString
	case bson.TypeEmbeddedDocument:
		return tagDocument
	case bson.TypeArray:
		return tagArray
	case bson.TypeBinary:
		return tagBinary
	case bson.TypeObjectID:
		return tagObjectID
	case bson.TypeBoolean:
		return tagBoolean
	case bson.TypeDateTime:
		return tagDateTime
	case bson.TypeTimestamp:
		return tagTimestamp
	case bson.TypeRegex:
		return tagRegex
	case bson.TypeDBPointer:
		return tagDBPointer
	case bson.TypeJavaScript:
		return tagCode
	case bson.TypeCodeWithScope:
		return tagCodeScoped
	case bson.TypeMaxKey:
		return tagMaxKey
	default:
		return tagUnknown
	}
}

// AppendValue appends the encoding of v. It never panics on malformed bytes,
// which docdb.Validate keeps out and which a filter's value or a position may
// still hold: what cannot be read, or nests deeper than docdb.Compare looks, encodes
// as empty.
func AppendValue(dst []byte, v bson.RawValue) []byte {
	return appendNested(dst, v, 2*docdb.MaxDepth)
}

func appendNested(dst []byte, v bson.RawValue, depth int) []byte {
	tag := rankTag(v.Type)
	switch tag {
	case tagNaN:
		return appendNumber(dst, v)
	case tagString, tagCode:
		return appendBytes(append(dst, tag), stringBytes(v.Value))
	case tagDocument:
		return appendElements(append(dst, tag), v.Value, true, depth)
	case tagArray:
		return appendElements(append(dst, tag), v.Value, false, depth)
	case tagBinary, tagDBPointer:
		// Both begin with the length of what varies, and length goes first.
		dst = binary.BigEndian.AppendUint32(append(dst, tag), uint32(len(v.Value)))
		return append(dst, v.Value[min(4, len(v.Value)):]...)
	case tagDateTime:
		return binary.BigEndian.AppendUint64(append(dst, tag), uint64Of(v.Value)^(1<<63))
	case tagTimestamp:
		return binary.BigEndian.AppendUint64(append(dst, tag), uint64Of(v.Value))
	case tagObjectID, tagBoolean:
		return append(append(dst, tag), v.Value...)
	case tagRegex:
		pattern, rest, _ := bytes.Cut(v.Value, []byte{0})
		options, _, _ := bytes.Cut(rest, []byte{0})
		return appendBytes(appendBytes(append(dst, tag), pattern), options)
	case tagCodeScoped:
		code, scope, _ := v.CodeWithScopeOK()
		return appendElements(appendBytes(append(dst, tag), []byte(code)), scope, true, depth)
	default:
		return append(dst, tag)
	}
}

// appendBytes appends b so that it ends where a continuation would sort later:
// NUL becomes 00 FF, the end is 00 00.
func appendBytes(dst, b []byte) []byte {
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return append(append(dst, b...), 0, 0)
		}
		dst = append(append(dst, b[:i]...), 0, 0xff)
		b = b[i+1:]
	}
}

// appendElements appends the elements of a document or, without names, an array.
func appendElements(dst, doc []byte, names bool, depth int) []byte {
	if depth == 0 {
		return append(dst, tagEnd)
	}
	for name, v := range wire.Fields(doc) {
		if names {
			dst = append(append(dst, rankTag(v.Type)), name...)
			dst = append(dst, 0) // a name holds no NUL
		}
		dst = appendNested(dst, v, depth-1)
	}
	return append(dst, tagEnd)
}

// appendNumber appends a number of any of the four types. It is the sign, then
// the largest double that is not beyond the number (toward zero), then whether
// that is the number itself; if it isn't, the number as a decimal of 34 digits,
// which every int64 and Decimal128 is exactly. Two numbers beyond the same
// double are both of these types, so the order is exact without rounding
// anything, and the doubles and integers that data consists of take 10 bytes.
func appendNumber(dst []byte, v bson.RawValue) []byte {
	switch v.Type {
	case bson.TypeInt32:
		return appendInt(dst, int64(int32(uint32Of(v.Value))))
	case bson.TypeInt64:
		return appendInt(dst, int64(uint64Of(v.Value)))
	case bson.TypeDouble:
		return appendDouble(dst, math.Float64frombits(uint64Of(v.Value)), nil)
	default:
		return appendDecimal(dst, v)
	}
}

func appendInt(dst []byte, i int64) []byte {
	const exact = 1 << 53 // integers up to here are doubles
	if -exact <= i && i <= exact {
		return appendDouble(dst, float64(i), nil)
	}
	f := float64(i)
	// At 1<<63 the conversion back would overflow; no int64 is that large.
	if f == 1<<63 || f > 0 && int64(f) > i || f < 0 && int64(f) < i {
		f = math.Nextafter(f, 0)
	}
	if int64(f) == i {
		return appendDouble(dst, f, nil)
	}
	return appendDouble(dst, f, decimalDigits(big.NewInt(i), 0))
}

// appendDecimal leans on docdb.Compare for the exact comparison with a double.
func appendDecimal(dst []byte, v bson.RawValue) []byte {
	if len(v.Value) < 16 {
		return append(dst, tagZero)
	}
	d := bson.NewDecimal128(uint64Of(v.Value[8:]), uint64Of(v.Value))
	switch {
	case d.IsNaN():
		return append(dst, tagNaN)
	case d.IsInf() != 0:
		return appendDouble(dst, math.Inf(d.IsInf()), nil)
	}
	coefficient, exp, err := d.BigInt()
	// A coefficient of more than 34 digits is not canonical and counts as zero.
	if err != nil || coefficient.Sign() == 0 || coefficient.CmpAbs(tenTo34) >= 0 {
		return append(dst, tagZero)
	}
	// An error of ParseFloat is the overflow to infinity, which the steps below undo.
	f, _ := strconv.ParseFloat(coefficient.String()+"e"+strconv.Itoa(exp), 64)
	c := docdb.Compare(v, double(f))
	if c == 0 {
		return appendDouble(dst, f, nil)
	}
	if c < 0 == (coefficient.Sign() > 0) {
		f = math.Nextafter(f, 0)
	}
	if f == 0 && coefficient.Sign() < 0 {
		f = math.Copysign(0, -1) // below the smallest double, but with a sign
	}
	return appendDouble(dst, f, decimalDigits(coefficient, exp))
}

// appendDouble appends f, and digits unless f is the number itself.
func appendDouble(dst []byte, f float64, digits []byte) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, tagNaN)
	case f == 0 && digits == nil:
		return append(dst, tagZero)
	}
	tag := byte(tagPositive)
	if math.Signbit(f) {
		tag = tagNegative
	}
	dst = append(dst, tag)
	start := len(dst)
	dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(math.Abs(f)))
	if digits == nil {
		dst = append(dst, 0)
	} else {
		dst = append(append(dst, 1), digits...)
	}
	if tag == tagNegative {
		invert(dst[start:])
	}
	return dst
}

var tenTo34 = new(big.Int).Exp(big.NewInt(10), big.NewInt(34), nil)

// decimalDigits encodes the magnitude of a decimal that is not zero: the
// exponent, then the coefficient scaled to exactly 34 digits, which fit in 16 bytes.
func decimalDigits(coefficient *big.Int, exp int) []byte {
	c := new(big.Int).Abs(coefficient)
	if missing := 34 - len(c.String()); missing > 0 {
		c.Mul(c, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(missing)), nil))
		exp -= missing
	}
	const bias = 1 << 14 // exponents are within ±6210
	return append(binary.BigEndian.AppendUint16(nil, uint16(exp+bias)), c.FillBytes(make([]byte, 16))...)
}

func double(f float64) bson.RawValue {
	return bson.RawValue{Type: bson.TypeDouble, Value: bsonappend.Double(nil, f)}
}

func invert(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

func uint32Of(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

func uint64Of(b []byte) uint64 {
	if len(b) < 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// stringBytes is a BSON string without its length and terminator.
func stringBytes(b []byte) []byte {
	n := int(uint32Of(b))
	if n < 1 || n > len(b)-4 {
		return nil
	}
	return b[4 : 3+n]
}
