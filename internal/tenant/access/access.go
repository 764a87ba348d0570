// Package access is the one way to an organization's data while it may be moved: the check
// of principals, and the protocol of reads and writes (docs/moves.md). A client that is told that
// its write was done can rely on it, and a read never goes back in time.
package access

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/cluster"
	"github.com/orgd/orgd/internal/tenant/drain"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/retry"
)

// Access is the way to the data of all organizations.
type Access struct {
	// Reader reads organizations and admins, and Dirty records which documents are written during moves.
	Reader Reader
	Dirty  DirtySets
	// Cluster are the other processes.
	Cluster cluster.Coordination

	master     *master.Database
	tenant     docdb.Database
	tracker    *drain.Tracker
	cache      *cache
	unanswered *unanswered
}

// New returns the access to the organizations of a master database, whose collections are in
// the tenant database. It does no I/O.
func New(m *master.Database, tenant docdb.Database, c cluster.Coordination) *Access {
	a := &Access{
		Dirty: NewDirtySets(m.Database), Cluster: c, master: m, tenant: tenant, tracker: &drain.Tracker{},
	}
	if c.Alone() {
		a.Reader = directReader{m}
	} else {
		a.cache, a.unanswered = &cache{}, &unanswered{}
		a.Reader = newSharedReader(m, a.tracker, a.cache)
	}
	return a
}

// Settle waits until every write of this process on the organization that had begun is over, and
// records for the move the documents whose writes got no answer.
func (a *Access) Settle(ctx context.Context, orgID string) error {
	if err := a.tracker.Drain(ctx, orgID); err != nil {
		return err
	}
	return a.tellUnanswered(ctx, orgID)
}

// Outdate makes every organization that this process has read too old for writes to rely on.
func (a *Access) Outdate() { a.tracker.Outdate() }

// Drain waits until every write on the organization that had begun when it was
// called is over, in this process and in all others.
func (a *Access) Drain(ctx context.Context, orgID string) error {
	var others error
	var all sync.WaitGroup
	all.Go(func() { others = a.Cluster.DrainOthers(ctx, orgID) })
	own := a.DrainOwn(ctx, orgID)
	all.Wait()
	return errors.Join(own, others)
}

// DrainOwn is Drain for the writes of this process.
func (a *Access) DrainOwn(ctx context.Context, orgID string) error {
	return a.tracker.Drain(ctx, orgID)
}

// errMoved says that nothing was done, and that the read or write must be done again where the
// organization is now.
var errMoved = errors.New("the organization has moved")

// usable returns an organization as it was read, if its own admins may use it.
func usable(o *master.Organization, err error) (*master.Organization, error) {
	if errors.Is(err, docdb.ErrNotFound) {
		return nil, master.Revoked()
	}
	if err != nil {
		return nil, err
	}
	return o, o.CheckUsable()
}

// How often to look at an organization whose writes are blocked, and for how long. Writes are
// blocked for milliseconds, unless the instance that moves the data has died.
const (
	blockedPause = 2 * time.Millisecond
	blockedWait  = 10 * time.Second
)

// awaitUnblocked pauses before the next look at an organization whose clients are blocked; began is
// when the request first met the block.
func awaitUnblocked(ctx context.Context, began time.Time, blocked bool) error {
	switch {
	case !blocked:
		return ctx.Err()
	case time.Since(began) > blockedWait:
		return &org.Error{Kind: org.Unavailable, RetryAfter: time.Second,
			Message: "The organization's data is being moved, and the server that does it does not answer. Try again in a moment."}
	}
	return retry.Pause(ctx, blockedPause)
}
