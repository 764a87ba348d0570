package tenant

import (
	"context"

	"github.com/orgd/orgd/internal/docdb"
)

// MaxDocument is the largest document, in bytes.
const MaxDocument = docdb.MaxDocumentSize

// WithRoom returns a context for reads of documents that take their memory by calling room
// before they have it, and fail with its error. It may be called a while after the read,
// for the share that others have in one. Small reads do not ask: see docdb.RoomOf.
func WithRoom(ctx context.Context, room func(bytes int) error) context.Context {
	return docdb.WithRoom(ctx, room)
}

// Turn is how reads share the processors with others.
type Turn = docdb.Turn

// WithTurns returns a context for reads of documents that share the processors with others:
// each of their goroutines begins a turn.
func WithTurns(ctx context.Context, begin func() Turn) context.Context {
	return docdb.WithTurns(ctx, begin)
}
