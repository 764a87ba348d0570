// Package order compares BSON values as MongoDB does, exactly and across types.
package order

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/wire"
)

// Rank is the place of a type in MongoDB's order of types. Types of one rank
// compare by value. The gaps are mongod's own; a type that BSON does not have
// comes last, so that the order stays total whatever the bytes are.
func Rank(t bson.Type) int {
	switch t {
	case bson.TypeMinKey:
		return -1
	case 0, bson.TypeUndefined: // 0: a value that is missing
		return 0
	case bson.TypeNull:
		return 5
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128:
		return 10
	case bson.TypeString, bson.TypeSymbol:
		return 15
	case bson.TypeEmbeddedDocument:
		return 20
	case bson.TypeArray:
		return 25
	case bson.TypeBinary:
		return 30
	case bson.TypeObjectID:
		return 35
	case bson.TypeBoolean:
		return 40
	case bson.TypeDateTime:
		return 45
	case bson.TypeTimestamp:
		return 47
	case bson.TypeRegex:
		return 50
	case bson.TypeDBPointer:
		return 55
	case bson.TypeJavaScript:
		return 60
	case bson.TypeCodeWithScope:
		return 65
	case bson.TypeMaxKey:
		return 127
	default:
		return 256 + int(t)
	}
}

// Compare orders two values as MongoDB does across types:
//
//	MinKey < undefined < null < numbers < string, symbol < document < array <
//	binary < ObjectID < bool < date < timestamp < regular expression <
//	DBPointer < code < code with scope < MaxKey
//
// It is a total order on all values. Numbers of the four types compare by their
// exact value; NaN is equal to NaN and below every other number, -0 equal to 0.
// Strings compare by their bytes (no collation), documents element by element: by the
// Rank of the type, then the name, then the value; arrays by their elements;
// binaries by length, then subtype, then bytes. The zero RawValue counts as
// undefined. What is not valid BSON compares somehow, but never panics.
func Compare(a, b bson.RawValue) int { return compareValues(a, b, wire.MaxDepth) }

func compareValues(a, b bson.RawValue, depth int) int {
	ra, rb := Rank(a.Type), Rank(b.Type)
	if ra != rb {
		return cmp.Compare(ra, rb)
	}
	switch ra {
	case -1, 0, 5, 127:
		return 0
	case 10:
		return compareNumbers(a, b)
	case 15, 60:
		return bytes.Compare(wire.StringBytes(a.Value), wire.StringBytes(b.Value))
	case 20:
		return compareBodies(a.Value, b.Value, true, depth)
	case 25:
		return compareBodies(a.Value, b.Value, false, depth)
	case 45:
		return cmp.Compare(int64Of(a.Value), int64Of(b.Value))
	case 47:
		return cmp.Compare(uint64(int64Of(a.Value)), uint64(int64Of(b.Value)))
	case 50:
		pa, oa := wire.RegexParts(a.Value)
		pb, ob := wire.RegexParts(b.Value)
		return cmp.Or(bytes.Compare(pa, pb), bytes.Compare(oa, ob))
	case 65:
		ca, sa := wire.CodeParts(a.Value)
		cb, sb := wire.CodeParts(b.Value)
		return cmp.Or(bytes.Compare(ca, cb), compareBodies(sa, sb, true, depth))
	default:
		// Binary and DBPointer begin with their length in little-endian order,
		// so the length goes first; what follows it (subtype, bytes) compares as
		// bytes. ObjectID and bool have but one length.
		return cmp.Or(cmp.Compare(len(a.Value), len(b.Value)), bytes.Compare(a.Value, b.Value))
	}
}

// compareBodies compares documents, or arrays if names do not count. Nesting
// that no valid document has compares as bytes, which bounds the stack. Whether all
// bytes are the same is looked at once, at the top: at every level, it would be the
// depth times the size.
func compareBodies(a, b []byte, names bool, depth int) int {
	if depth == 0 {
		return bytes.Compare(a, b)
	}
	if depth == wire.MaxDepth && bytes.Equal(a, b) {
		return 0
	}
	a, b = wire.Elements(a), wire.Elements(b)
	for {
		na, va, resta, oka := wire.Next(a)
		nb, vb, restb, okb := wire.Next(b)
		switch {
		case !oka && !okb:
			return 0
		case !oka:
			return -1
		case !okb:
			return 1
		}
		if c := cmp.Compare(Rank(va.Type), Rank(vb.Type)); c != 0 {
			return c
		}
		if names {
			if c := bytes.Compare(na, nb); c != 0 {
				return c
			}
		}
		if c := compareValues(va, vb, depth-1); c != 0 {
			return c
		}
		a, b = resta, restb
	}
}

// int64Of reads eight bytes, fewer as zero.
func int64Of(b []byte) int64 {
	if len(b) < 8 {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(b))
}
