// Package move brings an organization's data into a fresh collection while clients read
// and write it: docs/moves.md says how, and why no document is lost.
package move

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/document"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
)

// A Mover has what moves need. All fields are required but Grace.
type Mover struct {
	Master   *master.Database
	Tenant   docdb.Database
	Registry *master.Registry
	Writers  Writers
	Dirty    access.DirtySets
	Logger   *slog.Logger
	Now      func() time.Time
	// Grace is how long the collection that data was moved from is kept.
	Grace time.Duration

	// Target wraps the collection that data is moved to, for the writes of the move's owner; it sets doubt
	// when a write gets no answer.
	Target func(c docdb.Collection, doubt *atomic.Bool) docdb.Collection
	// Verifier verifies the copy, and Pace ends the catch-up.
	Verifier Verifier
	Pace     func() Pace
}

// A Move is one owner's part in a move. Its methods are steps of the operation, in this order:
// Claim, Announce, Build, Copy, CatchUp, Verify, Flip, MarkLive, RetireSource.
type Move struct {
	mover *Mover
	x     *operation.Execution
	// starts counts how often a write to the target that got no answer made the move begin anew.
	starts int
	// entry is the target's in the registry, as this owner wrote it; nil if it did not.
	entry *master.Collection

	record       *record
	collections  *collections
	writes       writes
	copying      copying
	catchUp      *catchUp
	verification verification
	cutOver      cutOver
}

// New returns the execution's move.
func (m *Mover) New(x *operation.Execution) *Move {
	r := &record{organizations: m.Master.Organizations, op: x.Op}
	both := &collections{tenant: m.Tenant, x: x, wrap: m.Target}
	w := writes{m.Writers, x}
	rounds := &catchUp{x: x, record: r, collections: both, writes: w, dirty: m.Dirty, pace: m.Pace}
	return &Move{
		mover: m, x: x, record: r, collections: both, writes: w, catchUp: rounds,
		copying:      copying{x: x, collections: both, catchUp: rounds, now: m.Now},
		verification: verification{x: x, record: r, collections: both, dirty: m.Dirty, logger: m.Logger},
		cutOver:      cutOver{x: x, record: r, collections: both, catchUp: rounds, logger: m.Logger, now: m.Now},
	}
}

// Claim claims the collection that the data moves to, and makes it.
func (m *Move) Claim(ctx context.Context) (err error) {
	p := &m.x.Op.Plan
	key := p.NameKey
	if key == "" {
		key = p.OldNameKey
	}
	if m.entry, err = m.mover.Registry.Claim(ctx, m.x.Op, org.Name{Key: key}.Slug(), m.x.Fresh()); err == nil {
		p.Target = m.entry.ID
	}
	return err
}

// Announce makes every writer record its documents from now on, and waits for the writers that do not
// know of the move yet. Their writes are done when the copy begins.
func (m *Move) Announce(ctx context.Context) error {
	set := access.DirtyName(m.x.Op.ID, m.x.Op.Lease.Token)
	if err := m.mover.Master.Create(ctx, set); err != nil && !errors.Is(err, docdb.ErrExists) {
		return err
	}
	_, err := m.record.advance(ctx, func(o *master.Organization) error {
		o.Move = &master.Move{Phase: master.Copying, Target: m.x.Op.Plan.Target, Dirty: set}
		return nil
	})
	if err != nil {
		return err
	}
	return m.Drain(ctx)
}

// Drain waits for the writes that have begun.
func (m *Move) Drain(ctx context.Context) error { return m.writes.drain(ctx) }

// Learn tells the move what its owner has written of the organization.
func (m *Move) Learn(o *master.Organization) { m.record.known.Store(o.Clone()) }

// Known returns the organization as this owner last wrote it, or nil.
func (m *Move) Known() *master.Organization { return m.record.known.Load().Clone() }

// Abort ends a move that failed. When it returns, no write is recorded in the dirty set any more.
func (m *Move) Abort(ctx context.Context) error {
	o, err := master.Found(m.record.get(ctx))
	if err != nil || o == nil || o.Operation != m.x.Op.ID || o.Move == nil {
		return err
	}
	if _, err := m.record.advance(ctx, func(o *master.Organization) error { o.Move = nil; return nil }); err != nil {
		return err
	}
	return m.Drain(ctx)
}

// Discard drops the collection that the operation has begun to build.
func (m *Move) Discard(ctx context.Context) error {
	if err := m.mover.Registry.Discard(ctx, m.x.Op.ID); err != nil {
		return err
	}
	return m.mover.Dirty.Drop(ctx, m.x.Op.ID)
}

// Build gives the target the source's indexes and options. An owner that has not claimed the target
// itself makes sure that it is there.
func (m *Move) Build(ctx context.Context) error {
	if m.entry == nil {
		if err := m.mover.Registry.Create(ctx, m.x.Op.Plan.Target); err != nil {
			return err
		}
	}
	return m.x.WithHeartbeat(ctx, m.collections.carryIndexes)
}

// MarkLive marks the target as the organization's data.
func (m *Move) MarkLive(ctx context.Context) error {
	return m.mover.Registry.MarkLive(ctx, m.x.Op, m.entry)
}

// RetireSource drops the collection that the data came from, or leaves it to the
// reconciler for the length of Grace.
func (m *Move) RetireSource(ctx context.Context) error {
	if err := m.mover.Dirty.Drop(ctx, m.x.Op.ID); err != nil {
		return err
	}
	entries := m.mover.Registry.Entries
	c, err := entries.Get(ctx, m.x.Op.Plan.Source)
	if errors.Is(err, docdb.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if c.OrgID != m.x.Op.OrgID {
		return nil // the entry of a later organization: this one is gone already
	}
	if m.mover.Grace == 0 {
		return m.x.WithHeartbeat(ctx, func(ctx context.Context) error { return m.mover.Registry.Retire(ctx, c) })
	}
	if c.State == master.Retired {
		return nil
	}
	now := m.mover.Now()
	until := now.Add(m.mover.Grace)
	c.State, c.DropAfter, c.RetiredAt = master.Retired, &until, &now
	return entries.Swap(ctx, c)
}

// unmovable refuses the move of a document that the engine does not accept. A compatible server, or a
// writer that bypasses orgd, may accept more than docdb does, and a retry would never succeed.
func unmovable(doc bson.Raw, err error) error {
	if !errors.Is(err, docdb.ErrInvalid) && !errors.Is(err, docdb.ErrTooLarge) {
		return err
	}
	return &org.Error{Kind: org.Invalid, Err: err, Message: fmt.Sprintf("The data cannot be moved: the document with the _id %s "+
		"has a form that orgd does not write, such as an empty name or one that begins with $. "+
		"Change it, or update with migrate: false. Nothing was changed.", document.ShortID(doc))}
}
