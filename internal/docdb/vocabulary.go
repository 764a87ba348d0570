package docdb

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/filter"
	"github.com/orgd/orgd/internal/docdb/indexkey"
	"github.com/orgd/orgd/internal/docdb/order"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// This file has the words of the contract that packages beneath explain and implement, so
// that the layers above an engine know one package.

// A Filter selects documents. Its grammar and what it means are package filter's.
type Filter = filter.Filter

// Eq selects documents whose value at path equals value: see filter.Eq.
func Eq(path string, value any) Filter { return filter.Eq(path, value) }

// In selects documents that have one of the values at path: see filter.In.
func In(path string, values []bson.RawValue) Filter { return filter.In(path, values) }

// And selects documents that satisfy all filters.
func And(filters ...Filter) Filter { return filter.And(filters...) }

// ParseFilter reads a filter from its MongoDB form: see filter.Parse.
func ParseFilter(raw bson.Raw) (Filter, error) { return filter.Parse(raw) }

// A FilterError says what a filter may not hold. It is ErrInvalid.
type FilterError = filter.Error

// An IndexKeyError says why an index cannot hold a document. It is ErrInvalid.
type IndexKeyError = indexkey.Error

// Compare orders two values as MongoDB does across types: see order.Compare.
func Compare(a, b bson.RawValue) int { return order.Compare(a, b) }

// A Key is one path of an index or of an order.
type Key = indexkey.Key

// A Position is a place in an order: see [PositionOf].
type Position = indexkey.Position

// PositionOf returns the document's place in the order of keys (empty: by _id), reversed if
// desc: see indexkey.PositionOf.
func PositionOf(doc bson.Raw, keys []Key, desc bool) Position {
	return indexkey.PositionOf(doc, keys, desc)
}

// ComparePositions compares two places in the order of keys (empty: by _id), reversed if
// desc: the order of Find.
func ComparePositions(a, b Position, keys []Key, desc bool) int {
	return indexkey.ComparePositions(a, b, keys, desc)
}

// ID returns the document's _id, its first element; the zero value if it has none. It shares
// the document's memory.
func ID(doc bson.Raw) bson.RawValue { return wire.ID(doc) }

// StringID returns the _id that is the string s.
func StringID(s string) bson.RawValue { return wire.String(s) }
