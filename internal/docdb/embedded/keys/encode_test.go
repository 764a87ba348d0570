package keys

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
)

func rawValue(v any) bson.RawValue {
	t, b, err := bson.MarshalValue(v)
	if err != nil {
		panic(err)
	}
	return bson.RawValue{Type: t, Value: b}
}

// interestingInts and interestingFloats are where the four number types meet.
var (
	interestingInts = []int64{0, 1, -1, 2, 9, 10, 1 << 31, -(1 << 31), 1<<53 - 1, 1 << 53, 1<<53 + 1, 1<<53 + 2, -(1 << 53), -(1<<53 + 1),
		math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 - 1023, math.MaxInt64 - 1024, math.MinInt64, math.MinInt64 + 1, 1 << 62, 1e18}
	interestingFloats = []float64{0, math.Copysign(0, -1), 0.1, 0.5, -0.5, 1, -1, 1e15, 1 << 53, 1<<53 + 2, 1 << 63, -(1 << 63), 1e300, math.MaxFloat64,
		-math.MaxFloat64, math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN(), 2.2250738585072014e-308}
	interestingDecimals = []string{"0", "-0", "0E+6111", "1", "-1", "1.0", "1E+2", "0.1", "-0.1", "0.5", "1E-6176", "-1E-6176", "9.999999999999999999999999999999999E+6144",
		"-9.999999999999999999999999999999999E+6144", "Infinity", "-Infinity", "NaN", "9007199254740993", "9007199254740992.5", "9223372036854775807", "9223372036854775807.5",
		"1.797693134862315708145274237317043E+308", "1.797693134862315708145274237317044E+308", "4.940656458412465441765687928682213E-324", "4E-324", "1E-400", "-1E-400"}
)

func genNumber() *rapid.Generator[bson.RawValue] {
	return rapid.Custom(func(t *rapid.T) bson.RawValue {
		switch rapid.IntRange(0, 8).Draw(t, "number") {
		case 0:
			return rawValue(rapid.Int32().Draw(t, "int32"))
		case 1:
			return rawValue(rapid.Int64().Draw(t, "int64"))
		case 2:
			return rawValue(math.Float64frombits(rapid.Uint64().Draw(t, "double")))
		case 3:
			return bson.RawValue{Type: bson.TypeDecimal128, Value: rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "decimal")}
		case 4:
			return rawValue(rapid.SampledFrom(interestingInts).Draw(t, "int"))
		case 5:
			return rawValue(rapid.SampledFrom(interestingFloats).Draw(t, "float"))
		case 6:
			d, err := bson.ParseDecimal128(rapid.SampledFrom(interestingDecimals).Draw(t, "dec"))
			if err != nil {
				t.Fatal(err)
			}
			return rawValue(d)
		case 7: // an integer or a fraction that is the same in several types
			return rawValue(float64(rapid.Int64Range(-40, 40).Draw(t, "n")) / 4)
		default: // a decimal near a double or an int64
			d, err := bson.ParseDecimal128(rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,13})?(E[+-]?[0-9]{1,3})?`).Draw(t, "text"))
			if err != nil {
				return rawValue(int32(7))
			}
			return rawValue(d)
		}
	})
}

func genText() *rapid.Generator[string] {
	return rapid.OneOf(rapid.StringOf(rapid.SampledFrom([]rune{0, 1, 'a', 'b', 0xff, '世'})), rapid.String())
}

// genValue draws a value of any type, nested at most depth levels.
func genValue(depth int) *rapid.Generator[bson.RawValue] {
	return rapid.Custom(func(t *rapid.T) bson.RawValue {
		text := genText()
		most := 14
		if depth > 0 {
			most = 17
		}
		switch rapid.IntRange(0, most).Draw(t, "type") {
		case 0, 1:
			return genNumber().Draw(t, "number")
		case 2:
			return rawValue(text.Draw(t, "string"))
		case 3:
			return rawValue(bson.Symbol(text.Draw(t, "symbol")))
		case 4:
			return rawValue(bson.Binary{Subtype: rapid.SampledFrom([]byte{0, 2, 4, 0x80}).Draw(t, "subtype"), Data: rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "data")})
		case 5:
			return bson.RawValue{Type: bson.TypeObjectID, Value: rapid.SliceOfN(rapid.Byte(), 12, 12).Draw(t, "oid")}
		case 6:
			return rawValue(rapid.Bool().Draw(t, "bool"))
		case 7:
			return rawValue(bson.DateTime(rapid.Int64().Draw(t, "date")))
		case 8:
			return rawValue(bson.Timestamp{T: rapid.Uint32().Draw(t, "t"), I: rapid.Uint32().Draw(t, "i")})
		case 9:
			return rawValue(bson.Regex{Pattern: rapid.StringMatching(`[ab.]{0,3}`).Draw(t, "pattern"), Options: rapid.StringMatching(`[imx]{0,2}`).Draw(t, "options")})
		case 10:
			return rawValue(bson.DBPointer{DB: text.Draw(t, "ns"), Pointer: bson.ObjectID{1}})
		case 11:
			return rawValue(bson.JavaScript(text.Draw(t, "code")))
		case 12:
			return bson.RawValue{Type: rapid.SampledFrom([]bson.Type{bson.TypeMinKey, bson.TypeUndefined, bson.TypeNull, bson.TypeMaxKey, 0}).Draw(t, "bare")}
		case 13, 14:
			return rawValue(rapid.Int32Range(-3, 3).Draw(t, "small"))
		case 15:
			return rawValue(genDocument(depth-1).Draw(t, "document"))
		case 16:
			var a bson.A
			for _, v := range rapid.SliceOfN(genValue(depth-1), 0, 3).Draw(t, "array") {
				if v.Type != 0 {
					a = append(a, v)
				}
			}
			return rawValue(append(bson.A{}, a...))
		default:
			return rawValue(bson.CodeWithScope{Code: bson.JavaScript(text.Draw(t, "code")), Scope: genDocument(depth-1).Draw(t, "scope")})
		}
	})
}

func genDocument(depth int) *rapid.Generator[bson.D] {
	return rapid.Custom(func(t *rapid.T) bson.D {
		d := bson.D{}
		for range rapid.IntRange(0, 3).Draw(t, "fields") {
			name := rapid.SampledFrom([]string{"", "a", "aa", "b", "\x01"}).Draw(t, "name")
			if v := genValue(depth).Draw(t, "value"); v.Type != 0 {
				d = append(d, bson.E{Key: name, Value: v})
			}
		}
		return d
	})
}

// genNear draws a pair of values, half of them differing in one byte only,
// since values drawn apart mostly differ in their type.
func genNear(t *rapid.T) (a, b bson.RawValue) {
	a = genValue(2).Draw(t, "a")
	if rapid.Bool().Draw(t, "apart") || len(a.Value) == 0 || a.Type != bson.TypeDouble && a.Type != bson.TypeDecimal128 && a.Type != bson.TypeInt64 {
		return a, genValue(2).Draw(t, "b")
	}
	b = bson.RawValue{Type: a.Type, Value: bytes.Clone(a.Value)}
	b.Value[rapid.IntRange(0, len(b.Value)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	return a, b
}

func TestEncodingsOrderAsValuesCompare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := genNear(t)
		checkOrder(t, a, b)
	})
}

func TestEncodingsOfNumbersOrderAsTheyCompare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkOrder(t, genNumber().Draw(t, "a"), genNumber().Draw(t, "b"))
	})
	var all []bson.RawValue
	for _, i := range interestingInts {
		all = append(all, rawValue(i))
	}
	for _, f := range interestingFloats {
		all = append(all, rawValue(f))
	}
	for _, s := range interestingDecimals {
		d, err := bson.ParseDecimal128(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rawValue(d))
	}
	for _, a := range all {
		for _, b := range all {
			checkOrder(t, a, b)
		}
	}
}

func checkOrder(t rapid.TB, a, b bson.RawValue) {
	t.Helper()
	ea, eb := AppendValue(nil, a), AppendValue(nil, b)
	want := docdb.Compare(a, b)
	if got := bytes.Compare(ea, eb); got != want {
		t.Fatalf("%v and %v compare %d, their encodings %x and %x compare %d", a, b, want, ea, eb, got)
	}
	if want != 0 && (bytes.HasPrefix(ea, eb) || bytes.HasPrefix(eb, ea)) {
		t.Fatalf("the encoding of one of %v and %v, %x and %x, is a prefix of the other", a, b, ea, eb)
	}
	invert(ea)
	invert(eb)
	if got := bytes.Compare(ea, eb); got != -want {
		t.Fatalf("%v and %v compare %d, their inverted encodings compare %d", a, b, want, got)
	}
}

func TestEncodingNeverPanicsOnMalformedValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := bson.RawValue{Type: bson.Type(rapid.Byte().Draw(t, "type")), Value: rapid.SliceOf(rapid.Byte()).Draw(t, "value")}
		if rapid.Bool().Draw(t, "length") && len(v.Value) >= 4 {
			binary.LittleEndian.PutUint32(v.Value, uint32(len(v.Value)+rapid.IntRange(-2, 2).Draw(t, "by")))
		}
		AppendValue(nil, v)
	})
}

func TestTupleEncodingsOrderAsTheirKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := []docdb.Key{{Path: "a", Desc: rapid.Bool().Draw(t, "desc a")}, {Path: "b", Desc: rapid.Bool().Draw(t, "desc b")}}
		a := []bson.RawValue{genValue(1).Draw(t, "a0"), genValue(1).Draw(t, "a1")}
		b := []bson.RawValue{genValue(1).Draw(t, "b0"), genValue(1).Draw(t, "b1")}
		if rapid.Bool().Draw(t, "same first") {
			b[0] = a[0]
		}
		want := 0
		for i, key := range keys {
			c := docdb.Compare(a[i], b[i])
			if key.Desc {
				c = -c
			}
			want = cmp.Or(want, c)
		}
		ea, eb := AppendTuple(nil, keys, a), AppendTuple(nil, keys, b)
		if got := bytes.Compare(ea, eb); got != want {
			t.Fatalf("%v and %v by %v compare %d, their encodings %x and %x compare %d", a, b, keys, want, ea, eb, got)
		}
	})
}
