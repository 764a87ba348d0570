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
