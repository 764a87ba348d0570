package docdb

import (
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Fields yields the names and values of a document's fields in their order. It
// decodes and copies nothing: both are parts of doc. A malformed document ends
// where it cannot be read on.
func Fields(doc bson.Raw) iter.Seq2[[]byte, bson.RawValue] {
	return func(yield func([]byte, bson.RawValue) bool) {
		for b := body(doc); ; {
			name, v, rest, ok := next(b)
			if !ok || !yield(name, v) {
				return
			}
			b = rest
		}
	}
}

// Elements returns what Next reads: a document or array without its length and its
// end; empty if it is malformed.
func Elements(doc []byte) []byte { return body(doc) }

// Next splits the first field off elements. It is Fields for whoever keeps several
// documents open at a time.
func Next(elements []byte) (name []byte, v bson.RawValue, rest []byte, ok bool) {
	return next(elements)
}
