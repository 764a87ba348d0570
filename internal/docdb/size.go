package docdb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A Sizer is a Collection that can tell how much room it takes. Not every one can:
// callers must do without.
type Sizer interface {
	// Size returns what the documents and the indexes take; of a collection that
	// does not exist, nothing. errors.ErrUnsupported where the storage beneath
	// does not tell.
	Size(ctx context.Context) (Size, error)
}

// A Size is how much room a collection takes.
type Size struct {
	// Documents is how many there are. As Bytes, it may lag a little behind writes.
	Documents int64
	// Bytes is the size of all documents as BSON, before the storage compresses
	// them. It may lag a little behind writes.
	Bytes int64
	// Indexes is the size of each index, by name, as the storage counts it.
	Indexes map[string]int64
	// IndexBytes is the size of all indexes together.
	IndexBytes int64
}

// An IndexSizer is a Collection whose indexes take what its documents take in
// them, and that can tell it of each. Not every one can.
type IndexSizer interface {
	// IndexSize returns what a document has, or would have, in the collection's indexes as
	// they are now: of all documents together it is Size.IndexBytes. So a caller that knows
	// the size of a collection can say before a write what it adds. Of a document that
	// indexes cannot hold, errors as in Insert. In a collection that does not
	// exist it is 0. errors.ErrUnsupported where the storage beneath does not tell.
	IndexSize(ctx context.Context, doc bson.Raw) (int64, error)
}
