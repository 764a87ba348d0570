package tenant

import (
	"context"

	"github.com/orgd/orgd/internal/docdb/meter"
)

// Documents returns an organization's data. It does no I/O; every call checks whether the
// organization may be used.
func (s *Store) Documents(orgID string) *Documents { return s.data.Documents(orgID) }

// Claim begins an attempt of a request with an idempotency key. If the request is done already, it
// returns the answer; an answer with Remake is made again with the Claim. Kinds:
// IdempotencyKeyReused, IdempotencyInProgress, RateLimited (a new key, and too many are
// remembered), Unavailable.
func (s *Store) Claim(ctx context.Context, r IdempotentRequest) (*Claim, *Answer, error) {
	return s.keys.Claim(ctx, r)
}

// WithRoom returns a context for reads of documents that call room before they allocate memory, and
// fail with its error. room may be called some time after the read, when several requests share
// one. Small reads do not call it: see meter.RoomOf.
func WithRoom(ctx context.Context, room func(bytes int) error) context.Context {
	return meter.WithRoom(ctx, room)
}

// WithTurns returns a context for reads of documents that share the processors with others:
// each of their goroutines begins a turn.
func WithTurns(ctx context.Context, begin func() Turn) context.Context {
	return meter.WithTurns(ctx, begin)
}
