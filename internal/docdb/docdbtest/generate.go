package docdbtest

import (
	"encoding/binary"
	"fmt"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
)

// What is generated is drawn from few and near values, so that random documents
// and random filters meet: equal numbers of different types, neighbours that a
// double cannot tell apart, strings that are prefixes of each other, null beside
// missing, arrays beside their elements.

var names = []string{"a", "b", "0", "1"}

// Number generates a value of one of the four number types, NaN and infinities
// included.
func Number() *rapid.Generator[bson.RawValue] {
	ints := []int64{0, 1, -1, 2, 3, 1 << 53, 1<<53 + 1, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1}
	doubles := []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 1.5, 2, 1 << 53, 1 << 63, -(1 << 63), 1e23, 5e-324, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN()}
	decimals := []string{"0", "-0E+10", "1", "1.0", "10E-1", "-1", "0.1", "1.5", "9007199254740993", "9223372036854775807",
		"9223372036854775808", "1E+23", "1E+400", "-1E+400", "1E-400", "9.999999999999999999999999999999999E+6144", "1E-6176", "Infinity", "-Infinity", "NaN"}
	return rapid.Custom(func(t *rapid.T) bson.RawValue {
		switch rapid.IntRange(0, 3).Draw(t, "number type") {
		case 0:
			return Value(int32(rapid.IntRange(-2, 4).Draw(t, "int32")))
		case 1:
			return Value(rapid.SampledFrom(ints).Draw(t, "int64"))
		case 2:
			return Value(rapid.SampledFrom(doubles).Draw(t, "double"))
		default:
			d, err := bson.ParseDecimal128(rapid.SampledFrom(decimals).Draw(t, "decimal"))
			if err != nil {
				panic(err)
			}
			return Value(d)
		}
	})
}

// scalars are one or two values of every type but numbers, document and array.
func scalars() []bson.RawValue {
	oid := bson.ObjectID{11: 1}
	return []bson.RawValue{
		Value(nil), Value(""), Value("a"), Value("ab"), Value("a\x00"), Value("é"), Value("b"),
		Value(true), Value(false), Value(oid), Value(bson.ObjectID{0: 1}),
		Value(bson.Binary{}), Value(bson.Binary{Data: []byte{1}}), Value(bson.Binary{Subtype: 4, Data: make([]byte, 16)}),
		Value(bson.Binary{Subtype: 128, Data: []byte{0}}),
		Value(bson.DateTime(0)), Value(bson.DateTime(-1)), Value(bson.DateTime(1 << 40)),
		Value(bson.Timestamp{T: 1, I: 2}), Value(bson.Timestamp{T: math.MaxUint32, I: 1}),
	}
}

// exotic are values of the types that a filter takes no operands of.
func exotic() []bson.RawValue {
	scope := bson.D{{Key: "a", Value: int32(1)}}
	return []bson.RawValue{
		Value(bson.MinKey{}), Value(bson.MaxKey{}), Value(bson.Undefined{}),
		Value(bson.Regex{Pattern: "^a", Options: "i"}), Value(bson.Regex{Pattern: "a"}),
		Value(bson.JavaScript("f()")), Value(bson.JavaScript("")),
		Value(bson.CodeWithScope{Code: "f()", Scope: scope}), Value(bson.CodeWithScope{Code: "f()", Scope: bson.D{}}),
		Value(bson.Symbol("a")), Value(bson.DBPointer{DB: "db.c", Pointer: bson.ObjectID{0: 1}}),
	}
}

var (
	scalar       = rapid.SampledFrom(scalars())
	exoticScalar = rapid.SampledFrom(exotic())
)

// Scalar generates a value that is neither document nor array, of a type that a
// filter takes, NaN and null included.
func Scalar() *rapid.Generator[bson.RawValue] {
	return rapid.OneOf(Number(), scalar)
}

// AnyValue generates a value of any type, nested to that depth.
func AnyValue(depth int) *rapid.Generator[bson.RawValue] {
	leaf := rapid.OneOf(Scalar(), Scalar(), exoticScalar)
	if depth <= 0 {
		return leaf
	}
	return rapid.OneOf(leaf, leaf, array(AnyValue(depth-1)), object(AnyValue(depth-1)))
}

// operand generates what an equality takes: its documents and arrays may hold
// anything, but no name beginning with "$".
func operand() *rapid.Generator[bson.RawValue] {
	return rapid.OneOf(Scalar(), Scalar(), array(AnyValue(1)), object(AnyValue(1)))
}

func array(of *rapid.Generator[bson.RawValue]) *rapid.Generator[bson.RawValue] {
	return rapid.Custom(func(t *rapid.T) bson.RawValue {
		values := rapid.SliceOfN(of, 0, 3).Draw(t, "array")
		list := make(bson.A, len(values))
		for i, v := range values {
			list[i] = v
		}
		return Value(list)
	})
}

func object(of *rapid.Generator[bson.RawValue]) *rapid.Generator[bson.RawValue] {
	return rapid.Custom(func(t *rapid.T) bson.RawValue { return Value(fields(t, of)) })
}

func fields(t *rapid.T, of *rapid.Generator[bson.RawValue]) bson.D {
	d := bson.D{}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 3, rapid.ID).Draw(t, "names") {
		d = append(d, bson.E{Key: name, Value: of.Draw(t, name)})
	}
	return d
}

// Document generates a document with that _id and values of any type under
// the names that Path and Filter draw from.
func Document(id bson.RawValue) *rapid.Generator[bson.Raw] {
	return rapid.Custom(func(t *rapid.T) bson.Raw {
		return Raw(append(bson.D{{Key: "_id", Value: id}}, fields(t, AnyValue(3))...))
	})
}

// Path generates a dotted path of one to three parts.
func Path() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"a", "b", "a", "b", "a.b", "b.a", "a.0", "a.1", "b.0", "a.a", "a.b.a", "a.0.b", "a.1.a", "a.0.0", "0", "0.a", "_id"})
}

// Filter generates a filter in MongoDB's form, operators nested to that depth.
func Filter(depth int) *rapid.Generator[bson.Raw] {
	return rapid.Custom(func(t *rapid.T) bson.Raw { return Raw(filter(t, depth)) })
}

func filter(t *rapid.T, depth int) bson.D {
	d := bson.D{}
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		if depth > 0 && rapid.IntRange(0, 3).Draw(t, "nest") == 0 {
			list := bson.A{}
			for range rapid.IntRange(1, 3).Draw(t, "operands") {
				list = append(list, filter(t, depth-1))
			}
			d = append(d, bson.E{Key: rapid.SampledFrom([]string{"$and", "$or"}).Draw(t, "list"), Value: list})
			continue
		}
		e := bson.E{Key: Path().Draw(t, "path")}
		if rapid.Bool().Draw(t, "implicit equality") {
			e.Value = operand().Draw(t, "value")
		} else {
			e.Value = operators(t, depth)
		}
		d = append(d, e)
	}
	return d
}

func operators(t *rapid.T, depth int) bson.D {
	d := bson.D{}
	for range rapid.IntRange(1, 2).Draw(t, "operators") {
		op := rapid.SampledFrom([]string{"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$not"}).Draw(t, "operator")
		e := bson.E{Key: op}
		switch op {
		case "$eq", "$ne":
			e.Value = operand().Draw(t, "operand")
		case "$in", "$nin":
			e.Value = array(operand()).Draw(t, "operand")
		case "$exists":
			e.Value = rapid.Bool().Draw(t, "operand")
		case "$not":
			if depth <= 0 {
				e = bson.E{Key: "$eq", Value: int32(1)}
				break
			}
			e.Value = operators(t, depth-1)
		default:
			e.Value = Scalar().Filter(orderable).Draw(t, "operand")
		}
		d = append(d, e)
	}
	return d
}

// orderable reports whether $gt and its like take the value.
func orderable(v bson.RawValue) bool {
	nan := Value(math.NaN())
	return v.Type != bson.TypeNull && docdb.Compare(v, nan) != 0
}

// Value returns a value in BSON. It panics on what cannot be marshalled.
func Value(v any) bson.RawValue {
	switch v := v.(type) {
	case nil:
		return bson.RawValue{Type: bson.TypeNull}
	case bson.RawValue:
		return v
	}
	t, b, err := bson.MarshalValue(v)
	if err != nil {
		panic(fmt.Sprintf("docdbtest: marshal %T: %v", v, err))
	}
	return bson.RawValue{Type: t, Value: b}
}

// Raw returns a document in BSON. It panics on what cannot be marshalled.
func Raw(v any) bson.Raw {
	b, err := bson.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("docdbtest: marshal %T: %v", v, err))
	}
	return b
}

// Doc returns a document with that _id and these names and values in turn.
func Doc(id any, namesAndValues ...any) bson.Raw {
	d := bson.D{{Key: "_id", Value: id}}
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		d = append(d, bson.E{Key: namesAndValues[i].(string), Value: namesAndValues[i+1]})
	}
	return Raw(d)
}

// Sized returns a document with that _id of exactly size bytes, which is at
// least 20 more than the _id takes.
func Sized(id any, size int) bson.Raw {
	doc := Doc(id, "pad", bson.Binary{})
	doc = Doc(id, "pad", bson.Binary{Data: make([]byte, size-len(doc))})
	if len(doc) != size || int(binary.LittleEndian.Uint32(doc)) != size {
		panic(fmt.Sprintf("docdbtest: made %d bytes, not %d", len(doc), size))
	}
	return doc
}
