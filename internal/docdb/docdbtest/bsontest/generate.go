package bsontest

import (
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
)

// The generators draw from few and near values, so that random filters select random
// documents: equal numbers of different types, neighbours that a double cannot tell apart,
// strings that are prefixes of each other, null beside missing, arrays beside their elements.

var names = []string{"a", "b", "0", "1"}

// AnyNumber generates a value of one of the four number types, NaN and infinities
// included.
func AnyNumber() *rapid.Generator[bson.RawValue] {
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

var (
	scalar       = rapid.SampledFrom(Scalars())
	exoticScalar = rapid.SampledFrom(NonOperands())
)

// AnyScalar generates a value that is neither document nor array, of a type that a
// filter takes, NaN and null included.
func AnyScalar() *rapid.Generator[bson.RawValue] {
	return rapid.OneOf(AnyNumber(), scalar)
}

// AnyValue generates a value of any type, nested to that depth.
func AnyValue(depth int) *rapid.Generator[bson.RawValue] {
	leaf := rapid.OneOf(AnyScalar(), AnyScalar(), exoticScalar)
	if depth <= 0 {
		return leaf
	}
	return rapid.OneOf(leaf, leaf, array(AnyValue(depth-1)), object(AnyValue(depth-1)))
}

// operand generates what an equality takes: its documents and arrays may hold
// anything, but no name beginning with "$".
func operand() *rapid.Generator[bson.RawValue] {
	return rapid.OneOf(AnyScalar(), AnyScalar(), array(AnyValue(1)), object(AnyValue(1)))
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

// AnyDocument generates a document with that _id and values of any type under
// the names that Path and Filter draw from.
func AnyDocument(id bson.RawValue) *rapid.Generator[bson.Raw] {
	return rapid.Custom(func(t *rapid.T) bson.Raw {
		return Raw(append(bson.D{{Key: "_id", Value: id}}, fields(t, AnyValue(3))...))
	})
}

// AnyPath generates a dotted path of one to three parts.
func AnyPath() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"a", "b", "a", "b", "a.b", "b.a", "a.0", "a.1", "b.0", "a.a", "a.b.a", "a.0.b", "a.1.a", "a.0.0", "0", "0.a", "_id"})
}

// AnyFilter generates a filter in MongoDB's form, operators nested to that depth.
func AnyFilter(depth int) *rapid.Generator[bson.Raw] {
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
		e := bson.E{Key: AnyPath().Draw(t, "path")}
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
			e.Value = AnyScalar().Filter(orderable).Draw(t, "operand")
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
