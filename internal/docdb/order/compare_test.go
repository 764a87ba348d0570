package order_test

import (
	"bytes"
	"math"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
	. "github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/order"
)

func decimal(s string) bson.Decimal128 {
	d, err := bson.ParseDecimal128(s)
	if err != nil {
		panic(err)
	}
	return d
}

func TestCompareIsMongoDBsOrder(t *testing.T) {
	type d = bson.D
	type e = bson.E
	// Values of one line are equal, those of a line are less than those of the next.
	groups := [][]any{
		{bson.MinKey{}},
		{bson.Undefined{}, bson.RawValue{}},
		{nil},
		{math.NaN(), decimal("NaN"), math.Float64frombits(0xfff8000000000001)},
		{math.Inf(-1), decimal("-Infinity")},
		{decimal("-1E+400")},
		{-math.MaxFloat64},
		{decimal("-9223372036854775809")},
		{int64(math.MinInt64), float64(-1 << 63), decimal("-9223372036854775808")},
		{int64(math.MinInt64 + 1), decimal("-9223372036854775807")},
		{-1.5, decimal("-1.50")},
		{int32(-1), int64(-1), -1.0, decimal("-1"), decimal("-10E-1")},
		{decimal("-1E-400")},
		{int32(0), int64(0), 0.0, math.Copysign(0, -1), decimal("0"), decimal("-0E+6000")},
		{decimal("1E-6176")},
		{decimal("4.9E-324")},
		{5e-324},
		{decimal("0.1")},
		{0.1},
		{decimal("0.1000000000000000055511151231257828")},
		{0.5, decimal("0.5"), decimal("0.5000000000000000000000000000000000")},
		{int32(1), int64(1), 1.0, decimal("1"), decimal("1.000000000000000000000000000000000")},
		{decimal("1.000000000000000000000000000000001")},
		{float64(1 << 53), int64(1 << 53), decimal("9007199254740992")},
		{int64(1<<53 + 1), decimal("9007199254740993")},
		{float64(1<<53 + 2), int64(1<<53 + 2)},
		{int64(math.MaxInt64), decimal("9223372036854775807")},
		{float64(1 << 63), decimal("9223372036854775808")},
		{1e23},
		{decimal("1E+23"), decimal("100000000000000000000000")},
		{math.MaxFloat64},
		{decimal("1.8E+308")},
		{decimal("9.999999999999999999999999999999999E+6144")},
		{math.Inf(1), decimal("Infinity")},
		{"", bson.Symbol("")},
		{"\x00"},
		{"A"},
		{"a", bson.Symbol("a")},
		{"a\x00"},
		{"ab"},
		{"é"},
		{d{}},
		{d{{Key: "b", Value: nil}}},
		{d{{Key: "a", Value: int32(1)}}, d{{Key: "a", Value: 1.0}}},
		{d{{Key: "a", Value: int32(1)}, {Key: "a", Value: int32(0)}}},
		{d{{Key: "a", Value: int32(2)}}},
		{d{{Key: "b", Value: int32(1)}}},
		{d{{Key: "a", Value: ""}}}, // the type goes before the name
		{bson.A{}},
		{bson.A{nil}},
		{bson.A{int32(1)}, bson.A{int64(1)}},
		{bson.A{int32(1), int32(0)}},
		{bson.A{int32(2)}},
		{bson.A{bson.A{}}},
		{bson.Binary{}},
		{bson.Binary{Subtype: 4}},
		{bson.Binary{Data: []byte{255}}},
		{bson.Binary{Subtype: 128, Data: []byte{0}}},
		{bson.Binary{Data: []byte{0, 0}}},
		{bson.ObjectID{}},
		{bson.ObjectID{0: 255}},
		{false},
		{true},
		{bson.DateTime(math.MinInt64)},
		{bson.DateTime(-1)},
		{bson.DateTime(0)},
		{bson.DateTime(256)},
		{bson.Timestamp{}},
		{bson.Timestamp{I: 256}},
		{bson.Timestamp{T: 1}},
		{bson.Timestamp{T: math.MaxUint32}},
		{bson.Regex{Pattern: "a"}},
		{bson.Regex{Pattern: "a", Options: "i"}},
		{bson.Regex{Pattern: "b"}},
		{bson.DBPointer{DB: "b"}},
		{bson.DBPointer{DB: "aa"}},
		{bson.JavaScript("a")},
		{bson.JavaScript("b")},
		{bson.CodeWithScope{Code: "a", Scope: d{}}},
		{bson.CodeWithScope{Code: "a", Scope: d{e{Key: "a", Value: int32(1)}}}},
		{bson.CodeWithScope{Code: "b", Scope: d{}}},
		{bson.MaxKey{}},
	}
	for i, ga := range groups {
		for j, gb := range groups {
			want := max(-1, min(1, i-j))
			for _, a := range ga {
				for _, b := range gb {
					if got := order.Compare(Value(a), Value(b)); got != want {
						t.Errorf("Compare(%v, %v) = %d, want %d", a, b, got, want)
					}
				}
			}
		}
	}
}

func TestCompareReadsNonCanonicalDecimalsAsZero(t *testing.T) {
	for _, d := range []bson.Decimal128{
		bson.NewDecimal128(0x6c11000000000000, 1), // the form with an implied coefficient of over 10^34
		bson.NewDecimal128(0x3041ffffffffffff, 0), // a coefficient of over 34 digits
	} {
		if order.Compare(Value(d), Value(int32(0))) != 0 {
			t.Errorf("%x is not zero", d)
		}
	}
}

func TestCompareIsATotalOrder(t *testing.T) {
	value := rapid.OneOf(AnyValue(3), AnyNumber())
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := value.Draw(t, "a"), value.Draw(t, "b"), value.Draw(t, "c")
		checkOrder(t, a, b, c)
	})
}

type failer interface{ Fatalf(string, ...any) }

func checkOrder(t failer, a, b, c bson.RawValue) {
	ab, ba, bc, ac := order.Compare(a, b), order.Compare(b, a), order.Compare(b, c), order.Compare(a, c)
	switch {
	case order.Compare(a, a) != 0:
		t.Fatalf("%v is not equal to itself", a)
	case ab != -ba:
		t.Fatalf("%v, %v: %d one way, %d the other", a, b, ab, ba)
	case ab <= 0 && bc <= 0 && ac > 0, ab >= 0 && bc >= 0 && ac < 0:
		t.Fatalf("%v, %v, %v: %d, %d, but %d", a, b, c, ab, bc, ac)
	case ab == 0 && ac != bc:
		t.Fatalf("%v equals %v, but they compare with %v as %d and %d", a, b, c, ac, bc)
	}
}

// FuzzCompare feeds bytes of any kind, valid BSON or not.
func FuzzCompare(f *testing.F) {
	for _, v := range []any{nil, int64(1), 1.5, decimal("1.5"), "a", bson.D{{Key: "a", Value: bson.A{int32(1)}}}, bson.Regex{Pattern: "a"}} {
		raw := Value(v)
		f.Add(byte(raw.Type), raw.Value, byte(raw.Type), append([]byte(nil), raw.Value...), byte(bson.TypeDouble), make([]byte, 8))
	}
	f.Fuzz(func(t *testing.T, ta byte, a []byte, tb byte, b []byte, tc byte, c []byte) {
		checkOrder(t, bson.RawValue{Type: bson.Type(ta), Value: a}, bson.RawValue{Type: bson.Type(tb), Value: b}, bson.RawValue{Type: bson.Type(tc), Value: c})
		if doc := bson.Raw(bytes.Clone(a)); docdb.Validate(doc) == nil {
			if err := doc.Validate(); err != nil {
				t.Fatalf("Validate accepts what the driver refuses: %v", err)
			}
		}
	})
}

func BenchmarkCompare(b *testing.B) {
	x, y := Value(int64(5)), Value(int32(6))
	b.Run("numbers", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			order.Compare(x, y)
		}
	})
	p, q := Value(decimal("1.5")), Value(0.1)
	b.Run("decimal and double", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			order.Compare(p, q)
		}
	})
}
