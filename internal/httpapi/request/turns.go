package request

import (
	"context"
	"sync"

	"github.com/orgd/orgd/internal/fair"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/tenant"
)

// NewTurn is a turn of the request's for another goroutine.
func (s *State) NewTurn() *fair.Turn { return s.work.Turn() }

// Shares returns a context under which work of the store that takes long has turns of the
// request's.
func (s *State) Shares(ctx context.Context) context.Context {
	return tenant.WithTurns(ctx, func() tenant.Turn { return s.work.Turn() })
}

// longWork is from how many bytes on work that cannot pause waits for its turn first: a
// millisecond's work.
const longWork = 64 << 10

// Long is called before so many bytes of documents are gone through, and Turn.Done after.
func (s *State) Long(ctx context.Context, bytes int) error {
	if bytes < longWork {
		return nil
	}
	return s.Turn.Take(ctx)
}

// A Reading is what a request reads from the storage, which asks for the memory while it
// reads.
type Reading struct {
	memory *memory.Hold
	mu     sync.Mutex
	bytes  int // taken so far
}

// Reads returns a context to read under, once.
func (s *State) Reads(ctx context.Context) (context.Context, *Reading) {
	r := &Reading{memory: &s.Memory}
	return tenant.WithRoom(s.Shares(ctx), r.take), r
}

func (r *Reading) take(bytes int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.memory.Take(bytes)
	if err == nil {
		r.bytes += bytes
	}
	return err
}

// Settle says how many bytes of what was read are there in the end.
func (r *Reading) Settle(bytes int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if bytes > r.bytes {
		if err := r.memory.Take(bytes - r.bytes); err != nil {
			return err
		}
	} else {
		r.memory.Give(r.bytes - bytes)
	}
	r.bytes = bytes
	return nil
}
