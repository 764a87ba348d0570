package docdb

import "context"

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
}

// PathProblem says what is wrong with a dotted path in a filter, an index or a
// projection, or nothing.
func PathProblem(path string) string { return pathProblem(path) }
