package docdb

import "go.mongodb.org/mongo-driver/v2/bson"

// A Filter selects documents by the closed grammar of orgd's contract, the same
// on every engine. The zero Filter selects all. Filters are immutable.
type Filter struct {
	root node // nil selects all
}

type node interface{}

// ParseFilter reads a filter from its MongoDB form.
func ParseFilter(raw bson.Raw) (Filter, error) { panic("TODO") }

// Eq selects documents whose value at path equals value, which must marshal to BSON.
func Eq(path string, value any) Filter { panic("TODO") }

// And selects documents that satisfy all filters.
func And(filters ...Filter) Filter { panic("TODO") }

// Match reports whether the document satisfies the filter, as MongoDB would decide.
func (f Filter) Match(doc bson.Raw) bool { panic("TODO") }

// IsZero reports whether the filter selects everything.
func (f Filter) IsZero() bool { return f.root == nil }

// Document returns the filter in MongoDB's form; an empty document if zero.
func (f Filter) Document() bson.Raw { panic("TODO") }
