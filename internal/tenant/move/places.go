package move

import (
	"context"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/org"
)

// Places bounds how many moves that clients ask for run in this process at a time. Operations that are
// resumed after a crash have other places.
type Places struct {
	places chan struct{} // nil: no bound

	mu      sync.Mutex
	waiting map[string]struct{} // organizations with a request that waits
}

const (
	// moveWait is how long a request waits for a place.
	moveWait = 10 * time.Second
	// movesWaiting is how many requests wait at a time.
	movesWaiting = 256
)

// NewPlaces returns room for that many moves at a time; 0 is no limit.
func NewPlaces(most int) *Places {
	m := &Places{waiting: map[string]struct{}{}}
	if most > 0 {
		m.places = make(chan struct{}, most)
	}
	return m
}

// Enter waits for a place, in the order of arrival. Kinds: RateLimited, Unavailable.
func (m *Places) Enter(ctx context.Context, orgID string) (leave func(), err error) {
	if m.places == nil {
		return func() {}, nil
	}
	leave = func() { <-m.places }
	select {
	case m.places <- struct{}{}:
		return leave, nil
	default:
	}
	if err := m.queue(orgID); err != nil {
		return nil, err
	}
	defer m.unqueue(orgID)
	tooLong := time.NewTimer(moveWait)
	defer tooLong.Stop()
	select {
	case m.places <- struct{}{}:
		return leave, nil
	case <-tooLong.C:
		return nil, noPlace()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *Places) queue(orgID string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, again := m.waiting[orgID]; again {
		return &org.Error{Kind: org.RateLimited, RetryAfter: time.Second,
			Message: "Another change of the organization is waiting for its turn. Try again when that is done."}
	}
	if len(m.waiting) >= movesWaiting {
		return noPlace()
	}
	m.waiting[orgID] = struct{}{}
	return nil
}

func (m *Places) unqueue(orgID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.waiting, orgID)
}

func noPlace() error {
	return &org.Error{Kind: org.Unavailable, RetryAfter: moveWait,
		Message: "The data of too many organizations is being moved at the moment. Nothing was done. Try again in 10 seconds, or with migrate: false."}
}
