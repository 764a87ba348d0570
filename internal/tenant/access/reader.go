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
	// Again reads an organization after a read or write that relied on an earlier reading of it.
	Again(ctx context.Context, was *master.Organization) (*master.Organization, error)
	// Admin begins to read an admin, if that can be done beside another reading; wait returns it.
	Admin(ctx context.Context, id string) (wait func(context.Context) (*master.Admin, error))
	// Watch returns a function that later reports whether certainly no organization has changed since.
	Watch() (unchanged func() bool)
}

// directReader is the Reader of a process that is alone. There a read costs less than sharing it
// would, and the process knows of all changes.
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

// sharedReader is the Reader of a process among others. Requests for the same document share a read,
// and it remembers the organizations that it has read.
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

// cache has the organizations as this process last read them from a shared engine. A write may rely
// on a cached organization, instead of reading it, if no drain of this process has begun since it was
// read: then every later step of a move waits for the write, as for all writes that the tracker
// counts. A nil cache, of a process that is alone, is empty.
type cache struct {
	mu    sync.Mutex
	known map[string]cached // by id
}

type cached struct {
	o      *master.Organization
	drains uint64 // how many drains had begun before it was read
}

// maxCached bounds the organizations in the cache, which is emptied beyond it.
const maxCached = 4096

func (c *cache) put(o *master.Organization, drains uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxCached {
		c.known = map[string]cached{}
	}
	c.known[o.ID] = cached{o, drains}
}

// of returns the cached organization, or the zero value.
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

// good reports whether a write that has entered after that many drains may rely on it.
func (c cached) good(drains uint64) bool {
	return c.o != nil && c.drains == drains && !c.o.WritesBlocked() && c.o.CheckUsable() == nil
}
