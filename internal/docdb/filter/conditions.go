package filter

import "go.mongodb.org/mongo-driver/v2/bson"

// A Condition is one thing that a filter asks of every document it selects: that
// a value that Path leads to compares with Values as Op says. See [Filter.Conditions].
type Condition struct {
	Path string
	// Op is "$eq", "$gt", "$gte", "$lt", "$lte" or "$in".
	Op string
	// Values has one value, for $in any number in ascending order. They are
	// the filter's own and must not be changed.
	Values []bson.RawValue
}

// Conditions returns conditions that all hold for every document the filter
// selects, for an engine to narrow a scan with, and reports whether they are all
// that it asks. Each is met by a value of its own: where a path leads to an
// array, two of them may be met by two elements.
func (f Filter) Conditions() (conditions []Condition, all bool) {
	if f.root == nil {
		return nil, true
	}
	all = f.root.appendConditions(&conditions)
	return conditions, all
}

func (n *node) appendConditions(dst *[]Condition) (all bool) {
	switch n.op {
	case opAnd:
		all = true
		for _, kid := range n.nodes {
			all = kid.appendConditions(dst) && all
		}
		return all
	case opEq, opGt, opGte, opLt, opLte:
		*dst = append(*dst, Condition{n.path.name, operatorNames[n.op], []bson.RawValue{n.value}})
		return true
	case opIn:
		*dst = append(*dst, Condition{n.path.name, operatorNames[n.op], n.in})
		return true
	default:
		return false
	}
}
