package tenant

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/workflow"
)

// grace is the time for which a deleted organization can be restored.
type grace struct {
	length        time.Duration // Config.DeleteGrace
	access        *access.Access
	organizations *master.Table[master.Organization, *master.Organization]
	states        *states
	deletions     *deletions
	logger        *slog.Logger
	now           func() time.Time
	next          schedule
}

// lookEvery is how often each instance looks for deleted organizations. It knows when the time of grace
// of those that it has seen, or deleted itself, is over; the others another instance has deleted since.
const lookEvery = 5 * time.Minute

// schedule is when to look next; the zero value is at once.
type schedule struct {
	mu sync.Mutex
	at time.Time
}

// begins reports whether it is time for a look, and puts the next one off for so long.
func (s *schedule) begins(now time.Time, every time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.at) {
		return false
	}
	s.at = now.Add(every)
	return true
}

// by has the next look no later than that.
func (s *schedule) by(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.Before(s.at) {
		s.at = at
	}
}

// begin begins the time of grace: every request for the organization is refused, and it keeps
// its data, its name and its addresses until the time is over.
func (g *grace) begin(ctx context.Context, p org.Principal) (org.DeletionReceipt, error) {
	if _, err := attachable(ctx, g.access, p); err != nil {
		return org.DeletionReceipt{}, fault.Of(err)
	}
	now := g.now()
	until := now.Add(g.length)
	g.next.by(until)
	o, err := g.states.transition(ctx, p.OrgID, func(o *master.Organization) (bool, error) {
		if err := o.CheckUsable(); err != nil {
			return false, err
		}
		if o.Operation != "" {
			return false, o.InProgress()
		}
		o.StateBefore, o.State, o.PurgeAfter = o.State, org.StateDeleting, &until
		o.Ended++ // sessions stay ended after a restoration
		return true, nil
	})
	if errors.Is(err, org.NotFound) {
		err = master.Revoked()
	}
	if err != nil {
		return org.DeletionReceipt{}, err
	}
	return org.DeletionReceipt{OrganizationID: o.ID, Name: o.Name, DeletedAt: now, PurgeAfter: until}, nil
}

// Purge deletes for good the organizations whose time of grace is over. Every instance calls it every
// few seconds, and looks when the next one that it knows of is due, or every few minutes; the instance
// that attaches the operation first does the work.
func (s *Store) Purge(ctx context.Context) error { return s.grace.purgeDue(ctx) }

func (g *grace) purgeDue(ctx context.Context) error {
	if !g.next.begins(g.now(), lookEvery) {
		return nil
	}
	err := g.purgeAll(ctx)
	if err != nil {
		g.next.by(g.now())
	}
	return err
}

func (g *grace) purgeAll(ctx context.Context) error {
	deleted, err := g.organizations.Find(ctx, docdb.Eq("state", string(org.StateDeleting)))
	errs := []error{fault.Of(err)}
	for _, o := range deleted {
		if ctx.Err() != nil {
			break
		}
		if o.Operation != "" || o.PurgeAfter == nil {
			continue
		}
		if !o.Due(g.now()) {
			g.next.by(*o.PurgeAfter)
			continue
		}
		err := g.purge(ctx, o)
		if errors.Is(err, org.OperationInProgress) || errors.Is(err, org.NotFound) {
			continue // another instance was first
		}
		if err == nil {
			g.logger.InfoContext(ctx, "organization purged", "org_id", o.ID)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (g *grace) purge(ctx context.Context, o *master.Organization) error {
	x, err := g.deletions.execution(o.ID, master.Plan{AdminID: o.AdminID, Purge: true}, workflow.Account{})
	if err != nil {
		return err
	}
	return g.deletions.runner.Run(ctx, x)
}
