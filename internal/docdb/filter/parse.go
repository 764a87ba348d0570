package filter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/fieldpath"
	"github.com/orgd/orgd/internal/docdb/order"
	"github.com/orgd/orgd/internal/docdb/wire"
)

const (
	allowedAtTop  = "allowed here are paths, $and and $or"
	allowedAtPath = "allowed are $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists and $not"
)

// Parse reads a filter from its MongoDB form: the grammar stated on Filter,
// within the bounds MaxSize and so on. What is refused is an *Error,
// which is docdb.ErrInvalid. An empty document is the zero Filter.
func Parse(raw bson.Raw) (Filter, error) {
	if err := checkFilterBody(raw); err != nil {
		return Filter{}, err
	}
	root, err := parseDocument(slices.Clone(raw))
	if err != nil || root == nil {
		return Filter{}, err
	}
	operators := 0
	if err := checkBounds(root, 1, &operators); err != nil {
		return Filter{}, err
	}
	f := Filter{root}
	if err := checkFilterBody(f.Document()); err != nil { // which has what the short forms leave out
		return Filter{}, err
	}
	return f, nil
}

// checkFilterBody checks that a filter is well-formed, and as large and deep as it may be.
func checkFilterBody(raw bson.Raw) error {
	if len(raw) > MaxSize {
		return &Error{Reason: fmt.Sprintf("it is larger than %d bytes", MaxSize)}
	}
	if err := wire.CheckDocument(raw, wire.MaxDepth); err != nil {
		return &Error{Reason: strings.TrimPrefix(err.Error(), wire.ErrInvalid.Error()+": ")}
	}
	return nil
}

// checkBounds counts on the tree rather than the text, so that a filter and its
// Document measure the same.
func checkBounds(n *node, depth int, operators *int) error {
	*operators++
	if *operators > MaxOperators {
		return &Error{Reason: fmt.Sprintf("it has more than %d operators", MaxOperators)}
	}
	if depth > MaxDepth {
		return &Error{Operator: operatorNames[n.op], Path: n.path.name,
			Reason: fmt.Sprintf("it nests deeper than %d operators", MaxDepth)}
	}
	for _, kid := range n.nodes {
		if err := checkBounds(kid, depth+1, operators); err != nil {
			return err
		}
	}
	return nil
}

// parseDocument parses a filter document; nil if it is empty.
func parseDocument(doc []byte) (*node, error) {
	var nodes []*node
	for b := wire.Elements(doc); ; {
		name, v, rest, ok := wire.Next(b)
		if !ok {
			return conjunction(nodes), nil
		}
		var err error
		switch {
		case string(name) == "$and":
			nodes, err = parseList(nodes, opAnd, v)
		case string(name) == "$or":
			nodes, err = parseList(nodes, opOr, v)
		case len(name) > 0 && name[0] == '$':
			err = &Error{Operator: string(name), Reason: "it is not supported; " + allowedAtTop}
		default:
			nodes, err = parseElement(nodes, string(name), v)
		}
		if err != nil {
			return nil, err
		}
		b = rest
	}
}

// parseList parses the operand of $and or $or.
func parseList(nodes []*node, op operator, list bson.RawValue) ([]*node, error) {
	fail := &Error{Operator: operatorNames[op], Reason: "it takes an array of one filter or more"}
	if list.Type != bson.TypeArray {
		return nil, fail
	}
	n := &node{op: op}
	for b := wire.Elements(list.Value); ; {
		_, v, rest, ok := wire.Next(b)
		if !ok {
			break
		}
		if v.Type != bson.TypeEmbeddedDocument {
			return nil, fail
		}
		kid, err := parseDocument(v.Value)
		if err != nil {
			return nil, err
		}
		if kid == nil {
			kid = &node{op: opAnd} // an empty filter, which selects all
		}
		n.nodes = append(n.nodes, kid)
		b = rest
	}
	if len(n.nodes) == 0 {
		return nil, fail
	}
	return append(nodes, n), nil
}

// parseElement parses what is asked of one path.
func parseElement(nodes []*node, name string, v bson.RawValue) ([]*node, error) {
	p, err := parsePath(name)
	if err != nil {
		return nil, err
	}
	first, dollar := dollarName(v)
	if dollar == "" {
		if err := checkEqualityOperand("$eq", name, v); err != nil {
			return nil, err
		}
		return append(nodes, &node{op: opEq, path: p, value: v}), nil
	}
	if !first {
		return nil, &Error{Operator: dollar, Path: name,
			Reason: "operators cannot stand beside plain names; to compare with a document that has such names use $eq"}
	}
	return parseOperators(nodes, p, v.Value)
}

// dollarName finds a document's first name that begins with "$", and whether it
// is the first of its names.
func dollarName(v bson.RawValue) (first bool, name string) {
	if v.Type != bson.TypeEmbeddedDocument {
		return false, ""
	}
	first = true
	for b := wire.Elements(v.Value); ; first = false {
		name, _, rest, ok := wire.Next(b)
		if !ok {
			return false, ""
		}
		if len(name) > 0 && name[0] == '$' {
			return first, string(name)
		}
		b = rest
	}
}

// parseOperators parses a document of operators on a path.
func parseOperators(nodes []*node, p path, doc []byte) ([]*node, error) {
	for b := wire.Elements(doc); ; {
		name, v, rest, ok := wire.Next(b)
		if !ok {
			return nodes, nil
		}
		op := operator(slices.Index(operatorNames[:], string(name)))
		if int(op) >= len(operatorNames) || op == opAnd || op == opOr {
			return nil, &Error{Operator: string(name), Path: p.name, Reason: "it is not supported; " + allowedAtPath}
		}
		n, err := parseOperand(op, p, v)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
		b = rest
	}
}

func parseOperand(op operator, p path, v bson.RawValue) (*node, error) {
	n := &node{op: op, path: p}
	var err error
	switch op {
	case opEq, opNe:
		n.value = v
		err = checkEqualityOperand(operatorNames[op], p.name, v)
	case opGt, opGte, opLt, opLte:
		n.value = v
		err = checkOrderOperand(operatorNames[op], p.name, v)
	case opIn, opNin:
		n.in, err = parseIn(operatorNames[op], p, v)
	case opExists:
		n.yes, err = parseExists(p, v)
	case opNot:
		n.nodes, err = parseNot(p, v)
	}
	return n, err
}

func parseNot(p path, v bson.RawValue) ([]*node, error) {
	if v.Type != bson.TypeEmbeddedDocument || len(wire.Elements(v.Value)) == 0 {
		return nil, &Error{Operator: "$not", Path: p.name, Reason: "it takes a document of one operator or more"}
	}
	return parseOperators(nil, p, v.Value)
}

func parseIn(op string, p path, list bson.RawValue) ([]bson.RawValue, error) {
	if list.Type != bson.TypeArray {
		return nil, &Error{Operator: op, Path: p.name, Reason: "it takes an array"}
	}
	values := []bson.RawValue{}
	for b := wire.Elements(list.Value); ; {
		_, v, rest, ok := wire.Next(b)
		if !ok {
			break
		}
		if len(values) == MaxInValues {
			return nil, &Error{Operator: op, Path: p.name, Reason: fmt.Sprintf("it lists more than %d values", MaxInValues)}
		}
		if err := checkInValue(op, p.name, v); err != nil {
			return nil, err
		}
		values = append(values, v)
		b = rest
	}
	slices.SortStableFunc(values, order.Compare)
	return values, nil
}

// checkInValue is checkEqualityOperand for a value in the list of $in or $nin, where
// MongoDB refuses what looks like an operator.
func checkInValue(op, path string, v bson.RawValue) error {
	if _, dollar := dollarName(v); dollar != "" {
		return &Error{Operator: op, Path: path,
			Reason: "it cannot list a document with a name that begins with $: " + strconv.Quote(dollar)}
	}
	return checkEqualityOperand(op, path, v)
}

func parseExists(p path, v bson.RawValue) (bool, error) {
	if v.Type == bson.TypeBoolean {
		return v.Value[0] == 1, nil
	}
	if v.Type == bson.TypeInt32 || v.Type == bson.TypeInt64 || v.Type == bson.TypeDouble {
		for i, yes := range []bool{false, true} {
			if order.Compare(v, bson.RawValue{Type: bson.TypeInt32, Value: []byte{byte(i), 0, 0, 0}}) == 0 {
				return yes, nil
			}
		}
	}
	return false, &Error{Operator: "$exists", Path: p.name, Reason: "it takes true or false"}
}

// checkEqualityOperand refuses what MongoDB would take for a pattern, and types
// that no JSON client has a use for.
func checkEqualityOperand(op, path string, v bson.RawValue) error {
	switch v.Type {
	case bson.TypeNull, bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128,
		bson.TypeString, bson.TypeEmbeddedDocument, bson.TypeArray, bson.TypeBinary,
		bson.TypeObjectID, bson.TypeBoolean, bson.TypeDateTime, bson.TypeTimestamp:
		return nil
	}
	return &Error{Operator: op, Path: path, Reason: fmt.Sprintf("it does not take a value of type %s; "+
		"allowed are null, number, string, document, array, binary, objectID, boolean, date and timestamp", v.Type)}
}

func checkOrderOperand(op, path string, v bson.RawValue) error {
	const allowed = "allowed are number, string, binary, objectID, boolean, date and timestamp"
	switch v.Type {
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128:
		if order.IsNaN(v) {
			return &Error{Operator: op, Path: path, Reason: "it does not take NaN; " + allowed}
		}
		return nil
	case bson.TypeString, bson.TypeBinary, bson.TypeObjectID, bson.TypeBoolean, bson.TypeDateTime, bson.TypeTimestamp:
		return nil
	}
	return &Error{Operator: op, Path: path,
		Reason: fmt.Sprintf("it does not take a value of type %s; %s", v.Type, allowed)}
}

func parsePath(name string) (path, error) {
	if problem := fieldpath.Problem(name); problem != "" {
		return path{}, &Error{Path: name, Reason: problem}
	}
	p := path{name, fieldpath.Split(name)}
	numbers := 0
	for _, s := range p.segments {
		if s.Index >= 0 {
			numbers++
		}
	}
	if numbers > MaxPathIndexes {
		return path{}, &Error{Path: name, Reason: fmt.Sprintf("more than %d parts of it are numbers", MaxPathIndexes)}
	}
	return p, nil
}
