package docdb

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// match decides as mongod's matcher does.
func (n *node) match(doc []byte) bool {
	switch n.op {
	case opAnd:
		return allMatch(n.nodes, doc)
	case opOr:
		for _, kid := range n.nodes {
			if kid.match(doc) {
				return true
			}
		}
		return false
	case opNot:
		return !allMatch(n.nodes, doc)
	case opNe, opNin:
		return !n.any(doc, n.path.segments)
	case opExists:
		return n.any(doc, n.path.segments) == n.yes
	default:
		return n.any(doc, n.path.segments)
	}
}

func allMatch(nodes []*node, doc []byte) bool {
	for _, kid := range nodes {
		if !kid.match(doc) {
			return false
		}
	}
	return true
}

// any reports whether one of the values that a path leads to from a document
// passes the node's test. A missing value is tested as the zero value.
func (n *node) any(doc []byte, path []segment) bool {
	v, ok := lookup(doc, path[0].name)
	switch {
	case !ok:
		return n.test(bson.RawValue{})
	case len(path) == 1:
		return n.anyOf(v)
	case v.Type == bson.TypeEmbeddedDocument:
		return n.any(v.Value, path[1:])
	case v.Type == bson.TypeArray:
		return n.anyWithin(v.Value, path[1:])
	default:
		return n.test(bson.RawValue{})
	}
}

// anyOf tests a value at the end of a path: an array's elements, then itself.
func (n *node) anyOf(v bson.RawValue) bool {
	if v.Type == bson.TypeArray {
		for b := body(v.Value); ; {
			_, element, rest, ok := next(b)
			if !ok {
				break
			}
			if n.test(element) {
				return true
			}
			b = rest
		}
	}
	return n.test(v)
}

// anyWithin follows a path through an array, which takes no part of it: into the
// documents that are its elements, and to the element whose index the path
// names. There an array is not looked into when the path ends (so {"a.0": 1}
// does not select {a: [[1]]}), and one is passed through when it goes on. Where
// nothing is found nothing is tested, not even a missing value.
func (n *node) anyWithin(array []byte, path []segment) bool {
	b := body(array)
	for i := 0; ; i++ {
		_, v, rest, ok := next(b)
		if !ok {
			return false
		}
		b = rest
		if v.Type == bson.TypeEmbeddedDocument && n.any(v.Value, path) {
			return true
		}
		if i != path[0].index {
			continue
		}
		found := false
		switch {
		case len(path) == 1:
			found = n.test(v)
		case v.Type == bson.TypeEmbeddedDocument:
			found = n.any(v.Value, path[1:])
		case v.Type == bson.TypeArray:
			found = n.anyWithin(v.Value, path[1:])
		}
		if found {
			return true
		}
	}
}

// test decides for one value, whose type is 0 if it is missing. For the
// operators that negate it is the test of what they negate.
func (n *node) test(v bson.RawValue) bool {
	switch n.op {
	case opExists:
		return v.Type != 0
	case opIn, opNin:
		if v.Type == 0 {
			v = nullValue
		}
		_, found := slices.BinarySearchFunc(n.in, v, Compare)
		return found
	case opEq, opNe:
		if v.Type == 0 {
			return n.value.Type == bson.TypeNull
		}
		return Compare(v, n.value) == 0
	}
	// The operand is never NaN or null, so that type and order decide.
	if rank(v.Type) != rank(n.value.Type) || isNaN(v) {
		return false
	}
	c := Compare(v, n.value)
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
