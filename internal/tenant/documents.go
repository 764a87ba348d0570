package tenant

import (
	"context"

	"github.com/orgd/orgd/internal/docdb/meter"
)

// Documents returns an organization's data. It does no I/O; whether
// the organization may be used is looked at by every call.
func (s *Store) Documents(orgID string) *Documents { return s.data.Documents(orgID) }

// Claim begins an attempt of a request with an idempotency key. When the request is done already
// it returns the answer, and the Claim serves to make an answer again that has Remake. Kinds:
// IdempotencyKeyReused, IdempotencyInProgress, RateLimited (a new key, and too many are
// remembered), Unavailable.
func (s *Store) Claim(ctx context.Context, r IdempotentRequest) (*Claim, *Answer, error) {
	return s.keys.Claim(ctx, r)
}

// WithRoom returns a context for reads of documents that take their memory by calling room
// before they have it, and fail with its error. It may be called a while after the read,
// for the share that others have in one. Small reads do not ask: see meter.RoomOf.
func WithRoom(ctx context.Context, room func(bytes int) error) context.Context {
	return meter.WithRoom(ctx, room)
}

// WithTurns returns a context for reads of documents that share the processors with others:
// each of their goroutines begins a turn.
func WithTurns(ctx context.Context, begin func() Turn) context.Context {
	return meter.WithTurns(ctx, begin)
}
