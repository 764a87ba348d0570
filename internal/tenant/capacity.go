package tenant

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// capacity knows how many organizations there are, to enforce Config.MaxOrganizations. The time to
// count them grows with their number, so it counts them now and then, and adds those that this
// process creates in between.
type capacity struct {
	organizations docdb.Collection
	most          int64 // Config.MaxOrganizations
	alone         func() bool
	now           func() time.Time

	mu      sync.Mutex
	counted int64 // organizations at the last count
	made    int64 // created since then
	making  int64 // being created; the last count may have them, so that the limit is not exceeded
	at      time.Time
	counts  int
	unsure  bool // some are gone since, or the count is not known
}

// recountAfter is for how long this process may not know the organizations that other processes
// create.
const recountAfter = 10 * time.Second

// enroll refuses an organization beyond the limit. The caller must call done with the result of
// the create. Kinds: QuotaExceeded.
func (c *capacity) enroll(ctx context.Context) (done func(error), err error) {
	if c.most <= 0 {
		return func(error) {}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == 0 || c.unsure || !c.alone() && c.now().Sub(c.at) >= recountAfter {
		n, err := c.organizations.Count(ctx, docdb.Filter{})
		if err != nil {
			return nil, err
		}
		c.counted, c.made, c.at, c.unsure = n, 0, c.now(), false
		c.counts++
	}
	if c.counted+c.made+c.making >= c.most {
		return nil, org.Errorf(org.QuotaExceeded, "This server has as many organizations as it may have. Ask its operator.")
	}
	c.making++
	counts := c.counts
	return func(err error) { c.settle(counts, err) }, nil
}

// settle counts the result of a create; counts is how often organizations had been counted when
// the create began.
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

// left notes that an organization is gone.
func (c *capacity) left() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsure = true
}
