package move

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/orgd/orgd/internal/tenant/master"
)

// record is the organization's document, R in docs/moves.md, as the owner of a move reads and changes
// it.
type record struct {
	organizations master.Table[master.Organization, *master.Organization]
	op            *master.Operation
	// known is the organization as this owner last wrote it.
	known atomic.Pointer[master.Organization]
	// message is how long a message to the storage took at the last measurement, in
	// nanoseconds.
	message atomic.Int64
}

// get returns the organization as it is now.
func (r *record) get(ctx context.Context) (*master.Organization, error) {
	return r.organizations.Get(ctx, r.op.OrgID)
}

// advance changes the organization's record of the move, and raises the epoch. It begins with the
// organization as this owner last wrote it, which has rarely changed since: that saves a message, also
// while writes are blocked.
func (r *record) advance(ctx context.Context, edit func(*master.Organization) error) (*master.Organization, error) {
	var sent time.Time
	o, err := r.organizations.ChangeKnown(ctx, r.op.OrgID, r.known.Load().Clone(), func(o *master.Organization) (bool, error) {
		if o.Operation != r.op.ID || o.Token != r.op.Lease.Token {
			return false, master.ErrLeaseLost
		}
		if err := edit(o); err != nil {
			return false, err
		}
		o.Epoch++
		sent = time.Now()
		return true, nil
	})
	if !sent.IsZero() {
		r.message.Store(int64(time.Since(sent)))
	}
	if err != nil {
		r.forget()
	} else {
		r.known.Store(o.Clone())
	}
	return o, err
}

// forget has the next change read the organization first.
func (r *record) forget() { r.known.Store(nil) }

// enter brings the move to a phase, and raises the epoch. It does not touch a move that is over or has
// another owner.
func (r *record) enter(ctx context.Context, to master.Phase) (*master.Organization, error) {
	return r.advance(ctx, func(o *master.Organization) error {
		if o.Move == nil || o.Move.Target != r.op.Plan.Target {
			return master.ErrLeaseLost
		}
		o.Move.Phase = to
		return nil
	})
}

// messageTime is about how long a message to the storage takes.
func (r *record) messageTime() time.Duration { return time.Duration(r.message.Load()) }
