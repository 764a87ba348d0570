package idempotency

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/master"
)

// The number of idempotency keys is bounded, for each organization and for the clients without
// credentials of each network (strangers), before a request has any effect. Over all networks the keys
// of strangers are bounded by the sign-ups that they make. A process counts the entries now and then,
// and adds those that it makes in between. It does not know the entries that other processes have
// added since its last count, which are at most a countEvery-th part of the bound each.

const (
	// countEvery is the part of a bound that a process may use up before it counts again.
	countEvery = 16
	// recountFull is how long a bound that was met counts as met, so that a client that is refused again
	// and again does not cause a count each time.
	recountFull = time.Minute
	// keySize is the most that an entry takes, with its keys in indexes. Only the entry of a new
	// organization may take four times that.
	keySize = 1 << 10
	// leastKeys is how many keys an organization may have whatever its quota.
	leastKeys = 10_000
	// maxTallies is how many tallies are known at a time. A tally that was forgotten is counted again.
	maxTallies = 1 << 15
	// sampled is how many entries are read to estimate when there will be room. They are a random sample,
	// since an _id is a digest.
	sampled = 100
)

// strangers begins the org_id of an entry that belongs to no organization: behind it is
// "/" and where the request came from. It comes after all ids of organizations.
const strangers = "~"

// A tally is how many entries an owner has, as far as this process knows.
type tally struct {
	turn chan struct{} // of the request that looks, and perhaps counts
	n    atomic.Int64  // with those that this process is adding
	// unsettled are the entries that are being added: no count begins before it knows of them, so
	// that no other process misses more of them than the credit.
	unsettled sync.WaitGroup
	// Only the request that has the turn uses the fields below.
	limit  int64     // the bound at the last count
	credit int64     // entries that may be added before the next count
	fullTo time.Time // until then the bound counts as met
	roomAt time.Time // when a hundredth or so of the entries will be gone
}

// tallies are the tallies that this process knows, by the org_id of the entries.
type tallies struct {
	mu    sync.Mutex
	known map[string]*tally
}

func (a *tallies) of(whose string) *tally {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.known[whose]
	if !ok {
		if a.known == nil || len(a.known) >= maxTallies {
			a.known = map[string]*tally{}
		}
		t = &tally{turn: make(chan struct{}, 1)}
		a.known[whose] = t
	}
	return t
}

// admitKey refuses a key beyond the bound. The caller must call done with the result of adding the
// entry. Kinds: RateLimited.
func (s *Keys) admitKey(ctx context.Context, once Request) (done func(error), err error) {
	if s.cfg.Max <= 0 {
		return func(error) {}, nil
	}
	return s.enter(ctx, once.owner())
}

// enter counts an entry before it is added.
func (s *Keys) enter(ctx context.Context, whose string) (done func(error), err error) {
	t := s.tallies.of(whose)
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-t.turn }()
	if t.credit == 0 || t.full() && !s.cfg.Now().Before(t.fullTo) {
		if err := s.tally(ctx, whose, t); err != nil {
			return nil, err
		}
	}
	if t.full() {
		return nil, tooManyKeys(whose, t.roomAt.Sub(s.cfg.Now()))
	}
	t.credit--
	t.n.Add(1)
	t.unsettled.Add(1)
	return t.settle, nil
}

func (t *tally) full() bool { return t.n.Load() >= t.limit }

// settle counts the result of adding an entry. An entry of unknown outcome may be there.
func (t *tally) settle(err error) {
	if err != nil && !errors.Is(err, docdb.ErrOutcomeUnknown) {
		t.n.Add(-1)
	}
	t.unsettled.Done()
}

// tally counts the entries, once this process adds none.
func (s *Keys) tally(ctx context.Context, whose string, t *tally) error {
	theirs := docdb.Eq("org_id", whose)
	t.unsettled.Wait()
	n, err := s.entries.Collection.Count(ctx, theirs)
	if err != nil {
		return err
	}
	limit, err := s.Limit(ctx, whose)
	if err != nil {
		return err
	}
	t.n.Store(n)
	t.limit, t.credit = limit, max(limit/countEvery, 1)
	if !t.full() {
		return nil
	}
	t.fullTo = s.cfg.Now().Add(recountFull)
	t.roomAt, err = s.roomAt(ctx, theirs)
	return err
}

// Limit is how many keys are remembered. For an organization with a quota they take no more than its
// documents may.
func (s *Keys) Limit(ctx context.Context, whose string) (int64, error) {
	if whose >= strangers {
		return s.cfg.Max, nil
	}
	o, err := master.Found(s.organizations.Get(ctx, whose))
	if err != nil || o == nil || o.Quota == nil || o.Quota.Bytes == 0 {
		return s.cfg.Max, err
	}
	return min(s.cfg.Max, max(o.Quota.Bytes/keySize, leastKeys)), nil
}

// roomAt is when the first few of those entries will expire.
func (s *Keys) roomAt(ctx context.Context, theirs docdb.Filter) (first time.Time, err error) {
	some, err := s.entries.Query(ctx, docdb.Query{Filter: theirs, Order: master.Index("org_id").Keys, Limit: sampled})
	for _, e := range some {
		if first.IsZero() || e.Until.Before(first) {
			first = e.Until
		}
	}
	return first, err
}

func tooManyKeys(whose string, wait time.Duration) *org.Error {
	e := &org.Error{Kind: org.RateLimited, RetryAfter: max(wait, recountFull),
		Message: "As many requests with an Idempotency-Key have been sent within a day as are remembered. Nothing was done. Try again later, import the documents, or send the request without a key."}
	if whose >= strangers {
		e.Message = "As many sign-ups with an Idempotency-Key have been sent within a day as are remembered. Nothing was done. Try again later, or without a key."
	}
	return e
}
