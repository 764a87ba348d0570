// Package filter is the filter language of orgd's contract: it reads filters, decides which
// documents they select, and tells an engine the conditions by which it may narrow a scan.
package filter

import (
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/meter"
	"github.com/orgd/orgd/internal/docdb/order"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// The bounds of a filter given to Parse. They keep the work per document
// and the size of what is sent to a server small; none is near what people write.
const (
	// MaxSize is the largest filter in bytes of BSON.
	MaxSize = 1 << 20
	// MaxDepth is how deep $and, $or and $not may nest, the conjunction
	// of a document's elements counting where there is more than one.
	MaxDepth = 20
	// MaxOperators is how many operators there may be, implicit equality
	// and conjunction included.
	MaxOperators = 500
	// MaxInValues is how many values one $in or $nin may list.
	MaxInValues = 1000
	// MaxPathIndexes is how many parts of one path may be numbers. Each may be
	// an index or a name, so a document can double the work with each.
	MaxPathIndexes = 8
)

// A Filter selects documents by the closed grammar of orgd's contract, the same
// on every engine. The zero Filter selects all. Filters are immutable.
//
// The grammar, in MongoDB's form, is a document whose elements all hold:
//
//	{path: value}                     equality, as {path: {$eq: value}}
//	{path: {$op: operand, ...}}       all operators hold
//	{$and: [filter, ...]}, {$or: [filter, ...]}   one filter or more
//
// with the operators $eq $ne $gt $gte $lt $lte $in $nin $exists $not. The
// operand of $eq, $ne and each value of $in and $nin is null, a number, string, document,
// array, binary, ObjectID, bool, date or timestamp; of $gt, $gte, $lt and $lte
// a number but NaN, string, binary, ObjectID, bool, date or timestamp; of
// $exists a bool, 0 or 1; of $not a document of operators. Anything else,
// regular expressions above all, is refused.
//
// What a filter means is what it means to MongoDB 8: $gt, $gte, $lt and $lte select
// only values of the operand's type, all numbers being one type; null equals
// a missing value too; NaN equals NaN and nothing else; a path is followed
// through arrays by index and into their documents; a condition on an array holds if
// an element satisfies it or the whole array does, each operator by itself; $ne, $nin and
// $not select exactly what $eq, $in and their operand do not.
type Filter struct {
	root *node // nil selects all
}

// An Error says what a filter may not hold. It is docdb.ErrInvalid.
type Error struct {
	// Operator is the operator at fault ("$regex"), empty if it is the path or
	// the filter as a whole.
	Operator string
	// Path is the path it was applied to, empty at the top level.
	Path string
	// Reason says what is wrong and what is allowed; it holds no value.
	Reason string
}

// Error implements error.
func (e *Error) Error() string {
	switch {
	case e.Operator != "" && e.Path != "":
		return fmt.Sprintf("docdb: filter: %s at path %q: %s", e.Operator, e.Path, e.Reason)
	case e.Operator != "":
		return fmt.Sprintf("docdb: filter: %s: %s", e.Operator, e.Reason)
	case e.Path != "":
		return fmt.Sprintf("docdb: filter: path %q: %s", e.Path, e.Reason)
	default:
		return "docdb: filter: " + e.Reason
	}
}

// Is reports that an Error is docdb.ErrInvalid.
func (e *Error) Is(target error) bool { return target == wire.ErrInvalid }

// Eq selects documents whose value at path equals value, as {path: {$eq: value}}
// does. It is for paths and values that the program itself chooses: it panics
// on what Parse would refuse. Value must marshal to BSON; a bson.RawValue counts as
// itself.
func Eq(path string, value any) Filter {
	p, err := parsePath(path)
	if err != nil {
		panic(err)
	}
	v, err := rawValue(value)
	if err == nil {
		err = checkEqualityOperand("$eq", path, v)
	}
	if err != nil {
		panic(err)
	}
	return Filter{&node{op: opEq, path: p, value: v}}
}

// In selects documents that have one of the values at path, as {path: {$in: values}} does.
// As with Eq they are the program's own choice: it panics on more than MaxInValues of them
// and on a value that CanBeIn refuses. It copies them.
func In(path string, values []bson.RawValue) Filter {
	p, err := parsePath(path)
	if err == nil && len(values) > MaxInValues {
		err = &Error{Operator: "$in", Path: path, Reason: fmt.Sprintf("it lists more than %d values", MaxInValues)}
	}
	in := make([]bson.RawValue, len(values))
	for i, v := range values {
		if err == nil {
			err = checkInValue("$in", path, v)
		}
		in[i] = bson.RawValue{Type: v.Type, Value: append([]byte(nil), v.Value...)}
	}
	if err != nil {
		panic(err)
	}
	slices.SortStableFunc(in, order.Compare)
	return Filter{&node{op: opIn, path: p, in: in}}
}

// CanBeIn reports whether In takes a value. Not every _id is one: a document with a name
// that begins with $ is not, nor what has a type that filters do not have.
func CanBeIn(v bson.RawValue) bool { return checkInValue("$in", "", v) == nil }

// rawValue marshals a value into memory of its own.
func rawValue(value any) (bson.RawValue, error) {
	switch v := value.(type) {
	case nil:
		return wire.Null, nil // MarshalValue refuses it
	case bson.RawValue:
		return bson.RawValue{Type: v.Type, Value: append([]byte(nil), v.Value...)}, nil
	case string:
		return wire.String(v), nil
	}
	t, b, err := bson.MarshalValue(value)
	return bson.RawValue{Type: t, Value: b}, err
}

// And selects documents that satisfy all filters.
func And(filters ...Filter) Filter {
	nodes := make([]*node, 0, len(filters))
	for _, f := range filters {
		if f.root != nil {
			nodes = append(nodes, f.root)
		}
	}
	return Filter{conjunction(nodes)}
}

// Match reports whether the document satisfies the filter, as MongoDB would decide.
func (f Filter) Match(doc bson.Raw) bool { return f.MatchWithin(nil, doc) }

// MatchWithin is Match, counted. What it returns says nothing when the meter has an error
// after it.
func (f Filter) MatchWithin(m *meter.Meter, doc bson.Raw) bool {
	return f.root == nil || f.root.match(m, doc)
}

// IsZero reports whether the filter selects everything.
func (f Filter) IsZero() bool { return f.root == nil }

// Document returns the filter in MongoDB's form; an empty document if zero.
// Every comparison is written with its operator, {$eq: value} too, so that no value can
// be read as an operator. Parse reads it back, unless it is beyond the
// bounds, which And and Eq do not check.
func (f Filter) Document() bson.Raw {
	if f.root == nil {
		return bson.Raw{5, 0, 0, 0, 0}
	}
	return f.root.appendTo(nil)
}
