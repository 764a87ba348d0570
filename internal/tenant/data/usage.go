package data

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

// Usage is counted only for organizations with a quota. If no other process can write, it is exact: it
// is counted once, while no write is in progress, and every later write adds to it. If others can, it
// is taken from the storage's statistics every few seconds, and in between only the writes of this
// process are known.

// usageFor is how long a usage is valid if other processes can write.
const usageFor = 3 * time.Second

// usage is how much one organization has, including the writes in progress.
type usage struct {
	mu               sync.Mutex
	documents, bytes int64
	countedAt        time.Time
}

// take counts what a write adds, and refuses more than the quota has room for.
func (u *usage) take(q *master.Quota, documents, bytes int64) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case documents > 0 && q.Documents > 0 && u.documents+documents > q.Documents:
		return org.Errorf(org.QuotaExceeded, "The organization may have %d documents, and has no room for this. Delete some, or ask the operator of this service.", q.Documents)
	case bytes > 0 && q.Bytes > 0 && u.bytes+bytes > q.Bytes:
		return org.Errorf(org.QuotaExceeded, "The organization's documents and indexes may have %d bytes, and there is no room for this. Delete some, or ask the operator of this service.", q.Bytes)
	}
	u.documents, u.bytes = u.documents+documents, u.bytes+bytes
	return nil
}

func (u *usage) give(documents, bytes int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.documents, u.bytes = u.documents-documents, u.bytes-bytes
}

// usages are the usages that this process knows, by organization.
type usages struct {
	used     atomic.Bool // whether a usage was ever needed
	mu       sync.Mutex
	known    map[string]*usage
	counting map[string]chan struct{} // closed when it is over
}

// of returns the usage of an organization, nil if it is not known.
func (a *usages) of(orgID string) *usage {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known[orgID]
}

func (a *usages) forget(orgID string) {
	if !a.used.Load() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.known, orgID)
}

// begin returns a channel that is closed at the end of the count, and whether the caller is to count.
func (a *usages) begin(orgID string) (done chan struct{}, mine bool) {
	a.used.Store(true)
	a.mu.Lock()
	defer a.mu.Unlock()
	if done, ok := a.counting[orgID]; ok {
		return done, false
	}
	if a.counting == nil {
		a.counting, a.known = map[string]chan struct{}{}, map[string]*usage{}
	}
	done = make(chan struct{})
	a.counting[orgID] = done
	delete(a.known, orgID)
	return done, true
}

// end ends a count with its result, nil if it failed.
func (a *usages) end(orgID string, u *usage, done chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if u != nil {
		a.known[orgID] = u
	}
	delete(a.counting, orgID)
	close(done)
}

// extent asks the engine for the number of documents, and the size of documents and indexes; or it
// counts the documents if the engine does not tell.
func extent(ctx context.Context, c docdb.Collection) (documents, bytes int64, err error) {
	if sizer, ok := c.(docdb.Sizer); ok {
		size, err := sizer.Size(ctx)
		if !errors.Is(err, errors.ErrUnsupported) {
			return size.Documents, size.Bytes + size.IndexBytes, err
		}
	}
	for raw, err := range c.Find(ctx, docdb.Query{}) {
		if err != nil {
			return 0, 0, err
		}
		documents, bytes = documents+1, bytes+int64(len(raw))
	}
	return documents, bytes, nil
}
