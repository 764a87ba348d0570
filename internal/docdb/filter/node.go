package filter

import (
	"github.com/orgd/orgd/internal/bsonappend"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/fieldpath"
)

type operator uint8

const (
	opAnd operator = iota
	opOr
	opEq
	opNe
	opGt
	opGte
	opLt
	opLte
	opIn
	opNin
	opExists
	opNot
)

var operatorNames = [...]string{
	opAnd: "$and", opOr: "$or", opEq: "$eq", opNe: "$ne", opGt: "$gt", opGte: "$gte",
	opLt: "$lt", opLte: "$lte", opIn: "$in", opNin: "$nin", opExists: "$exists", opNot: "$not",
}

// A node is one operator of a filter. It is never changed once it is built.
type node struct {
	op    operator
	nodes []*node // and, or: the operands; not: the operators on path it negates, all together
	path  path    // all but and, or
	value bson.RawValue
	in    []bson.RawValue // in, nin: the values in ascending order
	yes   bool            // exists: the operand
}

type path struct {
	name     string
	segments []fieldpath.Segment
}

// conjunction returns a node that asks for all nodes; nil if there are none.
func conjunction(nodes []*node) *node {
	switch len(nodes) {
	case 0:
		return nil
	case 1:
		return nodes[0]
	default:
		return &node{op: opAnd, nodes: nodes}
	}
}

// appendTo appends the node as a filter document.
func (n *node) appendTo(dst []byte) []byte {
	dst, start := bsonappend.Begin(dst)
	switch {
	case n.op == opAnd && len(n.nodes) == 0: // an empty document selects all
	case n.op == opAnd || n.op == opOr:
		dst = n.appendOperator(dst)
	default:
		inner, at := bsonappend.Begin(bsonappend.Header(dst, bson.TypeEmbeddedDocument, n.path.name))
		dst = bsonappend.End(n.appendOperator(inner), at)
	}
	return bsonappend.End(dst, start)
}

// appendOperator appends the element {$op: operand}.
func (n *node) appendOperator(dst []byte) []byte {
	name := operatorNames[n.op]
	switch n.op {
	case opAnd, opOr:
		dst, start := bsonappend.Begin(bsonappend.Header(dst, bson.TypeArray, name))
		for i, kid := range n.nodes {
			dst = kid.appendTo(bsonappend.Index(dst, bson.TypeEmbeddedDocument, i))
		}
		return bsonappend.End(dst, start)
	case opNot:
		dst, start := bsonappend.Begin(bsonappend.Header(dst, bson.TypeEmbeddedDocument, name))
		for _, kid := range n.nodes {
			dst = kid.appendOperator(dst)
		}
		return bsonappend.End(dst, start)
	case opIn, opNin:
		dst, start := bsonappend.Begin(bsonappend.Header(dst, bson.TypeArray, name))
		for i, v := range n.in {
			dst = append(bsonappend.Index(dst, v.Type, i), v.Value...)
		}
		return bsonappend.End(dst, start)
	case opExists:
		return bsonappend.Boolean(bsonappend.Header(dst, bson.TypeBoolean, name), n.yes)
	default:
		return bsonappend.Element(dst, name, n.value)
	}
}
