package access

import (
	"context"
	"sync"

	"github.com/orgd/orgd/internal/tenant/drain"
	"github.com/orgd/orgd/internal/tenant/master"
)

// A Reader reads organizations and admins for requests. What it returns must not be changed.
type Reader interface {
	// Organization reads an organization as it is now.
	Organization(ctx context.Context, id string) (*master.Organization, error)
	// Again reads an organization after what was done where an earlier reading said that it is.
	Again(ctx context.Context, was *master.Organization) (*master.Organization, error)
	// Admin begins to read an admin, where that can be done beside another reading.
	Admin(ctx context.Context, id string) (wait func(context.Context) (*master.Admin, error))
	// Watch returns what reports, later, that no organization can have changed since.
	Watch() (unchanged func() bool)
}

// directReader is that of a process that is alone, where a read costs less than to share it,
// and which knows of all changes.
type directReader struct{ m *master.Database }

// Organization implements Reader.
func (r directReader) Organization(ctx context.Context, id string) (*master.Organization, error) {
	return r.m.Organizations.Get(ctx, id)
}

// Again implements Reader.
func (r directReader) Again(ctx context.Context, was *master.Organization) (*master.Organization, error) {
	return r.m.Organizations.Get(ctx, was.ID)
}

// Admin implements Reader.
func (r directReader) Admin(_ context.Context, id string) func(context.Context) (*master.Admin, error) {
	return func(ctx context.Context) (*master.Admin, error) { return r.m.Admins.Get(ctx, id) }
}

// Watch implements Reader.
func (r directReader) Watch() func() bool {
	mark, calm := r.m.Changes.Calm()
	return func() bool { return calm && !r.m.Changes.Since(mark) }
}

// sharedReader reads together what many requests ask for, and remembers what it has read of
// organizations.
type sharedReader struct {
	organizations master.Coalesced[master.Organization, *master.Organization]
	admins        master.Coalesced[master.Admin, *master.Admin]
	tracker       *drain.Tracker
	cache         *cache
}

func newSharedReader(m *master.Database, tracker *drain.Tracker, cache *cache) *sharedReader {
	r := &sharedReader{tracker: tracker, cache: cache}
	r.organizations.Table, r.admins.Table = m.Organizations, m.Admins
	return r
}

// Organization implements Reader.
func (r *sharedReader) Organization(ctx context.Context, id string) (*master.Organization, error) {
	drains := r.tracker.Drains()
	o, err := r.organizations.Get(ctx, id)
	if err == nil {
		r.cache.put(o, drains)
	}
	return o, err
}

// Again implements Reader.
func (r *sharedReader) Again(ctx context.Context, was *master.Organization) (*master.Organization, error) {
	return r.Organization(ctx, was.ID)
}

// Admin implements Reader.
func (r *sharedReader) Admin(ctx context.Context, id string) func(context.Context) (*master.Admin, error) {
	return r.admins.Begin(ctx, id).Wait
}

// Watch implements Reader.
func (r *sharedReader) Watch() func() bool { return func() bool { return false } }

// cache is the organizations as this process last read them from a shared
// engine. A write may rely on one instead of a reading of its own if this process was
// not drained since: every step of a move that came after the reading waits for the
// write, then, as it does for all that the tracker counts. nil, for a process that is alone,
// has none.
type cache struct {
	mu    sync.Mutex
	known map[string]cached // by id
}

type cached struct {
	o      *master.Organization
	drains uint64 // how many had begun before it was read
}

// maxCached bounds what the cache takes; past it the cache is made anew.
const maxCached = 4096

func (c *cache) put(o *master.Organization, drains uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxCached {
		c.known = map[string]cached{}
	}
	c.known[o.ID] = cached{o, drains}
}

// of returns the zero cached if there is none.
func (c *cache) of(orgID string) cached {
	if c == nil {
		return cached{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[orgID]
}

// usable returns an organization to begin a read with, or nil.
func (c *cache) usable(orgID string) *master.Organization {
	if o := c.of(orgID).o; o != nil && o.CheckUsable() == nil {
		return o
	}
	return nil
}

// good reports whether a write may rely on it that has entered after so many drains.
func (c cached) good(drains uint64) bool {
	return c.o != nil && c.drains == drains && !c.o.WritesBlocked() && c.o.CheckUsable() == nil
}
