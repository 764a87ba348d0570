package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// A move brings an organization's data into a fresh collection while clients read
// and write it: docs/moves.md says how, and why no document is lost. Its steps are
// spread over move.go (what is told to writers), copy.go, catchup.go, verify.go and
// cutover.go.

// claimNext claims the collection that the data moves to.
func (r *run) claimNext(ctx context.Context) (err error) {
	p := &r.op.Plan
	key := p.NameKey
	if key == "" {
		key = p.OldNameKey
	}
	p.Target, err = r.claim(ctx, org.Name{Key: key}.Slug(), p.Generation)
	return err
}

// announce has every writer record what it writes from now on, and waits for those
// that do not know yet. Whatever they have written is there when the copy begins.
func (r *run) announce(ctx context.Context) error {
	set := dirtyName(r.op.ID, r.op.Lease.Fence)
	if err := r.master.Create(ctx, set); err != nil && !errors.Is(err, docdb.ErrExists) {
		return err
	}
	_, err := r.turn(ctx, func(o *organization) error {
		o.Move = &move{Phase: copying, Target: r.op.Plan.Target, Dirty: set}
		return nil
	})
	if err != nil {
		return err
	}
	return r.drain(ctx)
}

// turn changes what the organization says of the move, and raises the epoch. It begins
// with what this owner has written last, which seldom anybody else has changed since: that
// spares a message, behind the fence too.
func (r *run) turn(ctx context.Context, edit func(*organization) error) (*organization, error) {
	step := func(o *organization) (bool, error) {
		if o.Operation != r.op.ID || o.Fence != r.op.Lease.Fence {
			return false, errLeaseLost
		}
		if err := edit(o); err != nil {
			return false, err
		}
		o.Epoch++
		return true, nil
	}
	if o := r.known.Load().clone(); o != nil {
		if _, err := step(o); err == nil {
			began := time.Now()
			err = r.organizations.swap(ctx, o)
			r.message.Store(int64(time.Since(began)))
			if !errors.Is(err, docdb.ErrNoMatch) {
				return r.knows(o, err)
			}
		}
	}
	return r.knows(r.organizations.change(ctx, r.op.OrgID, step))
}

func (r *run) knows(o *organization, err error) (*organization, error) {
	if err == nil {
		r.known.Store(o.clone())
	} else {
		r.known.Store(nil)
	}
	return o, err
}

// messageTime is about how long a message to the storage takes.
func (r *run) messageTime() time.Duration { return time.Duration(r.message.Load()) }

// clone returns an organization that can be changed apart from this one.
func (o *organization) clone() *organization {
	if o == nil {
		return nil
	}
	out := *o
	if o.Move != nil {
		m := *o.Move
		out.Move = &m
	}
	return &out
}

// retreat ends a move that is given up. Nobody writes to its dirty set any more
// when it returns.
func (r *run) retreat(ctx context.Context) error {
	o, err := found(r.organizations.get(ctx, r.op.OrgID))
	if err != nil || o == nil || o.Operation != r.op.ID || o.Move == nil {
		return err
	}
	if _, err := r.turn(ctx, func(o *organization) error { o.Move = nil; return nil }); err != nil {
		return err
	}
	return r.drain(ctx)
}

// buildNext creates the target with the source's indexes and options.
func (r *run) buildNext(ctx context.Context) error {
	if err := r.build(ctx); err != nil {
		return err
	}
	return r.patiently(ctx, func(ctx context.Context) error {
		return doubtless(&r.doubt, r.tenant.CarryIndexes(ctx, r.op.Plan.Source, r.op.Plan.Target))
	})
}

func (r *run) source() docdb.Collection { return r.tenant.Collection(r.op.Plan.Source) }

// How often a long step says how far it is: in the operation's document, which
// extends the lease as well, and in the log.
const (
	markEvery = time.Second
	logEvery  = 10 * time.Second
)

// keep marks the operation if the last mark is a while ago.
func (r *run) keep(ctx context.Context) error {
	if r.behindFence {
		return nil
	}
	now := time.Now()
	if now.Sub(r.loggedAt) >= logEvery {
		if !r.loggedAt.IsZero() {
			p := r.op.Progress
			r.cfg.Logger.InfoContext(ctx, "operation under way", "operation", r.op.ID, "organization", r.op.OrgID,
				"kind", r.op.Kind, "step", r.op.Step, "copied", p.Copied, "total", p.Total, "bytes", p.Bytes)
		}
		r.loggedAt = now
	}
	if now.Sub(r.markedAt) < markEvery {
		return nil
	}
	return r.mark(ctx, func(*operation) {})
}

// patiently runs one call that may take longer than a lease, and keeps the lease
// meanwhile.
func (r *run) patiently(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	tick := time.NewTicker(markEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			if err := r.keep(ctx); err != nil {
				cancel()
				return errors.Join(err, <-done)
			}
		}
	}
}

// unmovable refuses the move of a document that the engine would not write. A
// compatible server or a writer that bypasses orgd may take more than docdb does, and
// to try it again would never end.
func unmovable(doc bson.Raw, err error) error {
	if !errors.Is(err, docdb.ErrInvalid) && !errors.Is(err, docdb.ErrTooLarge) {
		return err
	}
	return &org.Error{Kind: org.Invalid, Err: err, Message: fmt.Sprintf("The data cannot be moved: the document with the _id %s "+
		"has a form that orgd does not write, such as an empty name or one that begins with $. "+
		"Change it, or update with migrate: false. Nothing was changed.", shortID(doc))}
}

// shortID is a document's _id, which may have megabytes, for a message.
func shortID(doc bson.Raw) string {
	const most = 200
	text := docdb.ID(doc).String()
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// retireSource drops the collection that the data came from, or leaves it to the
// reconciler for the length of MoveGrace.
func (r *run) retireSource(ctx context.Context) error {
	if err := r.dropDirty(ctx); err != nil {
		return err
	}
	c, err := r.collections.get(ctx, r.op.Plan.Source)
	if errors.Is(err, docdb.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if c.OrgID != r.op.OrgID {
		return nil // a later organization's: ours is gone already
	}
	if r.cfg.MoveGrace == 0 {
		return r.patiently(ctx, func(ctx context.Context) error { return r.retire(ctx, c) })
	}
	if c.State == retired {
		return nil
	}
	now := r.now()
	until := now.Add(r.cfg.MoveGrace)
	c.State, c.DropAfter, c.RetiredAt = retired, &until, &now
	return r.collections.swap(ctx, c)
}
