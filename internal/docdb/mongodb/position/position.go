// Package position makes a condition for MongoDB out of a docdb.Position: which documents are behind
// it in the order of an index.
//
// MongoDB compares with $gt and $lt only within a type: {a: {$gt: 5}} finds no string, although
// strings come after numbers in an index. So the condition is a disjunction over types. Where a
// path meets an array, or a type has no $gt, it admits documents before the position too, which
// the caller has to skip by docdb.ComparePositions. It never leaves out a document behind the position.
package position

import (
	"math"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// A class is a step of MongoDB's order of types: types, by their numbers for $type, whose values are
// ordered together.
type class struct {
	types []int32
	exact bool // whether $gt and $lt order the values of the class
}

// The classes in MongoDB's order.
var classes = []class{
	{types: []int32{-1}},                         // MinKey
	{types: []int32{6}},                          // undefined, and an empty array in an index
	{types: []int32{10}},                         // null and missing
	{types: []int32{1, 16, 18, 19}, exact: true}, // numbers
	{types: []int32{2, 14}, exact: true},         // string, symbol
	{types: []int32{3}, exact: true},             // document
	{types: []int32{4}},                          // array: $gt would compare its elements as well
	{types: []int32{5}, exact: true},             // binary
	{types: []int32{7}, exact: true},             // ObjectID
	{types: []int32{8}, exact: true},             // bool
	{types: []int32{9}, exact: true},             // date
	{types: []int32{17}, exact: true},            // timestamp
	{types: []int32{11}},                         // regular expression: $gt refuses it
	{types: []int32{12}},                         // DBPointer
	{types: []int32{13}},                         // code
	{types: []int32{15}},                         // code with scope
	{types: []int32{127}},                        // MaxKey
}

const (
	undefinedClass = 1
	nullClass      = 2
	numberClass    = 3
	maxClass       = 16
	arrayType      = int32(4)
)

// classOf returns the position of a value's type in classes.
func classOf(v bson.RawValue) int {
	t := int32(v.Type)
	switch v.Type {
	case 0: // docdb.Compare takes a missing value for undefined
		return undefinedClass
	case bson.TypeMinKey:
		return 0
	}
	for i, c := range classes {
		for _, other := range c.types {
			if t == other {
				return i
			}
		}
	}
	return maxClass
}

// After returns a condition that documents behind a position satisfy, in the order of keys (empty:
// by _id), reversed if desc.
func After(keys []docdb.Key, desc bool, p docdb.Position) bson.D {
	var branches bson.A
	var ties bson.A // conditions for the position's own value at every path so far
	add := func(condition bson.D) {
		if len(ties) > 0 {
			condition = bson.D{{Key: "$and", Value: append(append(bson.A{}, ties...), condition)}}
		}
		branches = append(branches, condition)
	}
	for i, key := range keys {
		for _, condition := range beyond(key.Path, p.Keys[i], key.Desc != desc) {
			add(condition)
		}
		ties = append(ties, tied(key.Path, p.Keys[i]))
	}
	for _, condition := range beyondID(p.ID, desc) {
		add(condition)
	}
	switch len(branches) {
	case 0: // nothing comes after MaxKey, or before MinKey
		return bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: bson.A{}}}}}
	case 1:
		return branches[0].(bson.D)
	default:
		return bson.D{{Key: "$or", Value: branches}}
	}
}

// beyondID is beyond for _id, which is never missing and never an array.
func beyondID(id bson.RawValue, down bool) []bson.D {
	conditions, types := within("_id", id, down)
	types = append(types, typesBeyond(classOf(id), down)...)
	if len(types) > 0 {
		conditions = append(conditions, op("_id", "$type", types))
	}
	return conditions
}

// beyond returns conditions. A document whose value at the path comes after v, or before v if down,
// satisfies at least one of them.
func beyond(path string, v bson.RawValue, down bool) []bson.D {
	at := classOf(v)
	conditions, types := within(path, v, down)
	types = append(types, typesBeyond(at, down)...)
	if len(types) > 0 {
		conditions = append(conditions, op(path, "$type", types))
	}
	// $type finds neither missing values nor empty arrays.
	if at < nullClass && !down || at > nullClass && down {
		conditions = append(conditions, null(path, down)...)
	}
	if at < undefinedClass && !down || at > undefinedClass && down {
		conditions = append(conditions, op(path, "$eq", bson.A{}))
	}
	if hasIndex(path) {
		conditions = append(conditions, arraysOn(path)...)
	}
	return conditions
}

// within returns conditions for the values beyond v in v's own class, or the types of the class if
// $gt does not order them.
func within(path string, v bson.RawValue, down bool) (conditions []bson.D, types []int32) {
	at := classOf(v)
	switch {
	case at <= nullClass || at == maxClass:
		return nil, nil // all values of the class are equal
	case !classes[at].exact:
		return nil, classes[at].types
	case isNaN(v) && down:
		return nil, nil // NaN is the smallest number
	case isNaN(v):
		return nil, classes[at].types // {$gt: NaN} would find nothing
	case !down:
		return []bson.D{op(path, "$gt", v)}, nil
	case at == numberClass:
		return []bson.D{op(path, "$lt", v), op(path, "$eq", math.NaN())}, nil // {$lt: 5} alone finds no NaN
	default:
		return []bson.D{op(path, "$lt", v)}, nil
	}
}

// typesBeyond returns the types of all classes after the class at, or before it if down.
func typesBeyond(at int, down bool) []int32 {
	some := classes[at+1:]
	if down {
		some = classes[:at]
	}
	var types []int32
	for _, c := range some {
		types = append(types, c.types...)
	}
	return types
}

// tied returns a condition that documents with v itself at the path satisfy.
func tied(path string, v bson.RawValue) bson.D {
	at := classOf(v)
	var conditions []bson.D
	switch {
	case at == nullClass:
		conditions = null(path, false)
	case at == undefinedClass:
		conditions = []bson.D{op(path, "$eq", bson.A{}), op(path, "$type", classes[at].types)}
	case !classes[at].exact:
		conditions = []bson.D{op(path, "$type", classes[at].types)}
	default:
		conditions = []bson.D{op(path, "$eq", v)}
	}
	if hasIndex(path) {
		conditions = append(conditions, arraysOn(path)...)
	}
	return either(conditions)
}

func either(conditions []bson.D) bson.D {
	if len(conditions) == 1 {
		return conditions[0]
	}
	all := make(bson.A, len(conditions))
	for i, condition := range conditions {
		all[i] = condition
	}
	return bson.D{{Key: "$or", Value: all}}
}

// null returns conditions. A document with a key null in an index on the path satisfies at least one
// of them. Equality with null finds such documents, except where the path goes through an array: an
// index has null for an element that is no document and for an empty array, but they are not equal
// to null.
//
// Down, a document is at its largest key, so all its keys are null: either equality finds it, or it
// has nothing at the path. Up, it may have other keys beside null, so the conditions admit every
// document with an array on the way.
func null(path string, down bool) []bson.D {
	conditions := []bson.D{op(path, "$eq", nil)}
	switch {
	case !strings.Contains(path, "."):
		return conditions
	case down:
		return append(conditions, op(path, "$exists", false))
	default:
		return append(conditions, arraysOn(path)...)
	}
}

// arraysOn returns conditions. A document with an array on the way to the path satisfies at least
// one of them.
func arraysOn(path string) []bson.D {
	var conditions []bson.D
	for i := range len(path) {
		if path[i] == '.' {
			conditions = append(conditions, op(path[:i], "$type", arrayType))
		}
	}
	return conditions
}

// hasIndex reports whether a part of a path may be a position in an array. An index and a condition
// do not always find the same values at such a path.
func hasIndex(path string) bool {
	first := true
	for part := range strings.SplitSeq(path, ".") {
		if !first && strings.Trim(part, "0123456789") == "" {
			return true
		}
		first = false
	}
	return false
}

// isNaN reports whether a number is not a number.
func isNaN(v bson.RawValue) bool {
	switch v.Type {
	case bson.TypeDouble:
		f, ok := v.DoubleOK()
		return ok && math.IsNaN(f)
	case bson.TypeDecimal128:
		d, ok := v.Decimal128OK()
		return ok && d.IsNaN()
	default:
		return false
	}
}

func op(path, operator string, value any) bson.D {
	return bson.D{{Key: path, Value: bson.D{{Key: operator, Value: value}}}}
}
