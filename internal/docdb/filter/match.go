package filter

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/fieldpath"
	"github.com/orgd/orgd/internal/docdb/meter"
	"github.com/orgd/orgd/internal/docdb/order"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// match decides as mongod's matcher does. When the meter has ended the work, what it
// returns says nothing.
func (n *node) match(m *meter.Meter, doc []byte) bool {
	switch n.op {
	case opAnd:
		return allMatch(m, n.nodes, doc)
	case opOr:
		for _, kid := range n.nodes {
			if kid.match(m, doc) {
				return true
			}
		}
		return false
	case opNot:
		return !allMatch(m, n.nodes, doc)
	case opNe, opNin:
		return !n.any(m, doc, n.path.segments)
	case opExists:
		return n.any(m, doc, n.path.segments) == n.yes
	default:
		return n.any(m, doc, n.path.segments)
	}
}

func allMatch(m *meter.Meter, nodes []*node, doc []byte) bool {
	for _, kid := range nodes {
		if !kid.match(m, doc) {
			return false
		}
	}
	return true
}

// any reports whether one of the values that a path leads to from a document
// passes the node's test. A missing value is tested as the zero value.
func (n *node) any(m *meter.Meter, doc []byte, path []fieldpath.Segment) bool {
	v, ok := fieldpath.Lookup(m, doc, path[0].Name)
	switch {
	case !ok:
		return n.test(m, bson.RawValue{})
	case len(path) == 1:
		return n.anyOf(m, v)
	case v.Type == bson.TypeEmbeddedDocument:
		return n.any(m, v.Value, path[1:])
	case v.Type == bson.TypeArray:
		return n.anyWithin(m, v.Value, path[1:])
	default:
		return n.test(m, bson.RawValue{})
	}
}

// anyOf tests a value at the end of a path: an array's elements, then itself.
func (n *node) anyOf(m *meter.Meter, v bson.RawValue) bool {
	if v.Type == bson.TypeArray {
		b := wire.Elements(v.Value)
		for i := 0; m.Err() == nil && (i%elementsAtATime != 0 || m.Take(elementsAtATime)); i++ {
			_, element, rest, ok := wire.Next(b)
			if !ok {
				break
			}
			if n.test(m, element) {
				return true
			}
			b = rest
		}
	}
	return n.test(m, v)
}

// anyWithin follows a path through an array, which takes no part of it: into the
// documents that are its elements, and to the element whose index the path
// names. There an array is not looked into when the path ends (so {"a.0": 1}
// does not select {a: [[1]]}), and one is passed through when it goes on. Where
// nothing is found nothing is tested, not even a missing value.
func (n *node) anyWithin(m *meter.Meter, array []byte, path []fieldpath.Segment) bool {
	b := wire.Elements(array)
	for i := 0; m.Take(1); i++ {
		_, v, rest, ok := wire.Next(b)
		if !ok {
			return false
		}
		b = rest
		if v.Type == bson.TypeEmbeddedDocument && n.any(m, v.Value, path) {
			return true
		}
		if i == path[0].Index && n.anyAt(m, v, path) {
			return true
		}
	}
	return false
}

// anyAt goes on from the element of an array that path[0] names.
func (n *node) anyAt(m *meter.Meter, v bson.RawValue, path []fieldpath.Segment) bool {
	switch {
	case len(path) == 1:
		return n.test(m, v)
	case v.Type == bson.TypeEmbeddedDocument:
		return n.any(m, v.Value, path[1:])
	case v.Type == bson.TypeArray:
		return n.anyWithin(m, v.Value, path[1:])
	default:
		return false
	}
}

// test decides for one value, whose type is 0 if it is missing. For the
// operators that negate it is the test of what they negate.
func (n *node) test(m *meter.Meter, v bson.RawValue) bool {
	switch n.op {
	case opExists:
		return v.Type != 0
	case opIn, opNin:
		if v.Type == 0 {
			v = wire.Null
		}
		_, found := slices.BinarySearchFunc(n.in, v, func(in, v bson.RawValue) int {
			countComparison(m, in, v)
			return order.Compare(in, v)
		})
		return found
	case opEq, opNe:
		if v.Type == 0 {
			return n.value.Type == bson.TypeNull
		}
		countComparison(m, v, n.value)
		return order.Compare(v, n.value) == 0
	}
	// The operand is never NaN or null, so that type and order decide.
	if order.Rank(v.Type) != order.Rank(n.value.Type) || order.IsNaN(v) {
		return false
	}
	countComparison(m, v, n.value)
	c := order.Compare(v, n.value)
	switch n.op {
	case opGt:
		return c > 0
	case opGte:
		return c >= 0
	case opLt:
		return c < 0
	default:
		return c <= 0
	}
}

// elementsAtATime is how many elements of a list are counted together.
const elementsAtATime = 64

// bytesOfStep is how many bytes of two values are compared in a step.
const bytesOfStep = 32

// countComparison counts the comparison of two values. Short ones are part of the step that has
// led to them.
func countComparison(m *meter.Meter, a, b bson.RawValue) {
	if n := min(len(a.Value), len(b.Value)); n > bytesOfStep {
		m.Take(n / bytesOfStep)
	}
}
