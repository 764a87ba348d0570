package filter

import (
	"encoding/binary"
	"strconv"

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
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	switch {
	case n.op == opAnd && len(n.nodes) == 0: // an empty document selects all
	case n.op == opAnd || n.op == opOr:
		dst = n.appendOperator(dst)
	default:
		dst = appendName(dst, bson.TypeEmbeddedDocument, n.path.name)
		inner := len(dst)
		dst = n.appendOperator(append(dst, 0, 0, 0, 0))
		dst = closeDocument(dst, inner)
	}
	return closeDocument(dst, start)
}

// appendOperator appends the element {$op: operand}.
func (n *node) appendOperator(dst []byte) []byte {
	name := operatorNames[n.op]
	switch n.op {
	case opAnd, opOr:
		dst = appendName(dst, bson.TypeArray, name)
		start := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		for i, kid := range n.nodes {
			dst = kid.appendTo(appendIndex(dst, bson.TypeEmbeddedDocument, i))
		}
		return closeDocument(dst, start)
	case opNot:
		dst = appendName(dst, bson.TypeEmbeddedDocument, name)
		start := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		for _, kid := range n.nodes {
			dst = kid.appendOperator(dst)
		}
		return closeDocument(dst, start)
	case opIn, opNin:
		dst = appendName(dst, bson.TypeArray, name)
		start := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		for i, v := range n.in {
			dst = append(appendIndex(dst, v.Type, i), v.Value...)
		}
		return closeDocument(dst, start)
	case opExists:
		dst = appendName(dst, bson.TypeBoolean, name)
		if n.yes {
			return append(dst, 1)
		}
		return append(dst, 0)
	default:
		return append(appendName(dst, n.value.Type, name), n.value.Value...)
	}
}

// appendName appends the type and the name of an element.
func appendName(dst []byte, t bson.Type, name string) []byte {
	return append(append(append(dst, byte(t)), name...), 0)
}

// closeDocument ends the document that began at start and sets its length.
func closeDocument(dst []byte, start int) []byte {
	dst = append(dst, 0)
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

// appendIndex appends the type and the name of an array's element.
func appendIndex(dst []byte, t bson.Type, i int) []byte {
	return append(strconv.AppendInt(append(dst, byte(t)), int64(i), 10), 0)
}
