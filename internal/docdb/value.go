package docdb

import "go.mongodb.org/mongo-driver/v2/bson"

// Compare orders two values as MongoDB does across types.
func Compare(a, b bson.RawValue) int { panic("TODO") }

// ID returns the document's _id, its first element; the zero value if it has none.
func ID(doc bson.Raw) bson.RawValue { panic("TODO") }

// StringID returns the _id that is the string s.
func StringID(s string) bson.RawValue { panic("TODO") }

// Validate checks the rules of the package comment's section Documents.
func Validate(doc bson.Raw) error { panic("TODO") }

// ValidateIndex checks the rules stated on Index.
func ValidateIndex(ix Index) error { panic("TODO") }

// PositionOf returns the document's place in the order of keys (empty: by _id);
// desc as in the Query. A path that leads to an array counts with its smallest
// element, in a descending walk with its largest.
func PositionOf(doc bson.Raw, keys []Key, desc bool) Position { panic("TODO") }

// IndexKeys returns the keys under which an index holds the document: one for
// most, several where a path leads to an array. ErrInvalid if two paths do.
func IndexKeys(doc bson.Raw, keys []Key) ([][]bson.RawValue, error) { panic("TODO") }
