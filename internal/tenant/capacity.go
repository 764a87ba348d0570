package tenant

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// capacity knows how many organizations there are, to hold them to Config.MaxOrganizations.
// Counting them takes time for each: so they are counted now and then, and what this process
// makes in between is added.
type capacity struct {
	mu      sync.Mutex
	counted int64 // when they were last counted
	made    int64 // since then
	making  int64 // and perhaps counted already, so that the limit is not exceeded
	at      time.Time
	counts  int
	unsure  bool // some have gone since, or nobody knows
}

// recountAfter is for how long other processes that share the databases may make organizations that
// this process does not know of.
const recountAfter = 10 * time.Second

// enroll refuses one organization more than there may be. done must be called with what
// became of it. Kinds: QuotaExceeded.
func (s *Store) enroll(ctx context.Context) (done func(error), err error) {
	if s.cfg.MaxOrganizations <= 0 {
		return func(error) {}, nil
	}
	c := &s.capacity
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == 0 || c.unsure || !s.cluster.Alone() && s.now().Sub(c.at) >= recountAfter {
		n, err := s.master.Organizations.Collection.Count(ctx, docdb.Filter{})
		if err != nil {
			return nil, err
		}
		c.counted, c.made, c.at, c.unsure = n, 0, s.now(), false
		c.counts++
	}
	if c.counted+c.made+c.making >= s.cfg.MaxOrganizations {
		return nil, org.Errorf(org.QuotaExceeded, "This server has as many organizations as it may have. Ask its operator.")
	}
	c.making++
	counts := c.counts
	return func(err error) { c.settle(counts, err) }, nil
}

// settle says what became of an organization; counts is how often they had been counted
// when it began.
func (c *capacity) settle(counts int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.making--
	switch {
	case counts != c.counts, errors.Is(err, org.OutcomeUnknown), errors.Is(err, org.Internal):
		c.unsure = true
	case err == nil:
		c.made++
	}
}

// left says that an organization has gone.
func (c *capacity) left() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsure = true
}
