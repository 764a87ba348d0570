package bsonappend

import (
	"bytes"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestAsTheDriver: every value is laid out as the driver lays it out.
func TestAsTheDriver(t *testing.T) {
	scope := bson.D{{Key: "x", Value: int32(1)}}
	raw, err := bson.Marshal(scope)
	if err != nil {
		t.Fatal(err)
	}
	decimal, err := bson.ParseDecimal128("-1.10E+5")
	if err != nil {
		t.Fatal(err)
	}
	binary := func(subtype byte, data string) []byte {
		dst, at := BeginBinary([]byte("before"), subtype)
		dst = append(dst, data...)
		EndBinary(dst, at, subtype)
		return dst[len("before"):]
	}
	code, at := Begin(nil)
	code = append(String(code, "f()"), raw...)
	EndCode(code, at)
	later, at := BeginString(nil)
	later = EndString(append(later, "later"...), at)
	array, at := Begin(nil)
	for i := range 12 {
		array = Int32(Index(array, bson.TypeInt32, i), int32(i))
	}
	array = End(array, at)
	for _, tt := range []struct {
		value any
		t     bson.Type
		got   []byte
	}{
		{"text é", bson.TypeString, String(nil, "text é")},
		{"", bson.TypeString, String(nil, []byte{})},
		{"later", bson.TypeString, later},
		{bson.Symbol("s"), bson.TypeSymbol, String(nil, "s")},
		{bson.JavaScript("f()"), bson.TypeJavaScript, String(nil, "f()")},
		{bson.CodeWithScope{Code: "f()", Scope: scope}, bson.TypeCodeWithScope, code},
		{true, bson.TypeBoolean, Boolean(nil, true)},
		{false, bson.TypeBoolean, Boolean(nil, false)},
		{int32(-7), bson.TypeInt32, Int32(nil, -7)},
		{int64(-1 << 60), bson.TypeInt64, Int64(nil, -1<<60)},
		{bson.DateTime(-1), bson.TypeDateTime, Int64(nil, -1)},
		{-2.5, bson.TypeDouble, Double(nil, -2.5)},
		{decimal, bson.TypeDecimal128, Decimal128(nil, decimal)},
		{bson.Timestamp{T: 7, I: 9}, bson.TypeTimestamp, Timestamp(nil, 7, 9)},
		{bson.Regex{Pattern: "^a", Options: "im"}, bson.TypeRegex, Regex(nil, []byte("^a"), []byte("im"))},
		{bson.Binary{Subtype: bson.TypeBinaryUUID, Data: []byte("0123456789abcdef")}, bson.TypeBinary, binary(bson.TypeBinaryUUID, "0123456789abcdef")},
		{bson.Binary{Subtype: bson.TypeBinaryBinaryOld, Data: []byte("old")}, bson.TypeBinary, binary(bson.TypeBinaryBinaryOld, "old")},
		{bson.A{int32(0), int32(1), int32(2), int32(3), int32(4), int32(5), int32(6), int32(7), int32(8), int32(9), int32(10), int32(11)}, bson.TypeArray, array},
		{scope, bson.TypeEmbeddedDocument, raw},
	} {
		want, err := bson.Marshal(bson.D{{Key: "name", Value: tt.value}, {Key: "last", Value: nil}})
		if err != nil {
			t.Fatal(err)
		}
		doc, at := Begin([]byte("before"))
		doc = Element(doc, "name", bson.RawValue{Type: tt.t, Value: tt.got})
		doc = End(Header(doc, bson.TypeNull, []byte("last")), at)
		if got := doc[len("before"):]; !bytes.Equal(got, want) {
			t.Errorf("%T %v: %x, want %x", tt.value, tt.value, got, want)
		}
	}
}
