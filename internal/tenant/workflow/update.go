package workflow

import (
	"context"

	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/beside"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/move"
	"github.com/orgd/orgd/internal/tenant/operation"
)

// Update changes an organization's name and an admin's credentials, and moves the data.
type Update struct {
	base
	// hash is the hash of the new password. Only the instance that has the request
	// knows it until it is stored in admins.
	hash string
	// staged is the admin with the new credentials waiting, as this owner wrote it; nil if it did not.
	staged *master.Admin
	// rotated is the admin after that; nil if this owner did not see it.
	rotated *master.Admin
	// detached is the organization as the update left it.
	detached *master.Organization
}

// Update returns the constructor of the workflow that changes an organization; hash is the hash of the
// new password, empty if there is none or it is not known any more.
func (s *Workflows) Update(hash string, begins Account) func(*operation.Execution) operation.Workflow {
	return func(x *operation.Execution) operation.Workflow {
		return &Update{base: s.base(x, begins), hash: hash}
	}
}

// Steps implements operation.Workflow.
func (w *Update) Steps() []operation.Step {
	stays := !w.x.Op.Plan.Migrate
	steps := []operation.Step{
		{Name: attachStep, Do: w.attach, Joins: true},
		{Name: "reserve", Do: w.exchange, Joins: true},
		// Its checkpoint keeps what the organization was, which the steps after the flip need.
		{Name: "stage", Do: w.stage, Accepts: true},
		{Name: move.ClaimStep, Do: w.move.Claim, Skip: stays, Joins: true},
		{Name: "announce", Do: w.move.Announce, Skip: stays, Joins: true},
		{Name: "build", Do: w.move.Build, Skip: stays, Joins: true},
		{Name: master.CopyStep, Do: w.move.Copy, Skip: stays, Joins: true},
		{Name: "catch up", Do: w.move.CatchUp, Skip: stays, Joins: true},
		{Name: "verify", Do: w.move.Verify, Skip: stays},
		// After this step the update cannot be undone, and no later step refuses it.
		{Name: move.FlipStep, Do: w.flip, Joins: true},
		{Name: move.CredentialsStep, Do: w.rotate, Joins: true},
		{Name: "release", Do: w.releaseOld, Joins: true},
		{Name: "enliven", Do: w.move.MarkLive, Skip: stays, Joins: true},
		// The last before detach has a checkpoint: another move may begin with it, and what belongs to
		// this one is not to be looked for again then.
		{Name: "retire", Do: w.move.RetireSource, Skip: stays},
		{Name: "detach", Do: w.detach, Skip: !w.detachesLast()},
	}
	for i := range steps {
		steps[i].Do = w.move.Guard(steps[i].Do)
	}
	return steps
}

// Forget implements operation.Workflow. An update that was refused before it was attached, or for a name
// or an address that is taken, does not belong to the organization's history.
func (w *Update) Forget(out master.Outcome) bool {
	if out != master.Failed || w.x.Op.Refusal == nil {
		return false
	}
	kind := w.x.Op.Refusal.Kind
	return w.x.Op.Plan.OldNameKey == "" || kind == org.NameTaken || kind == org.EmailTaken
}

// rotates reports whether the update changes credentials.
func rotates(p *master.Plan) bool { return p.Email != "" || p.Password }

// detachesLast reports whether something follows the flip that no other update may get in between.
// Otherwise the flip detaches.
func (w *Update) detachesLast() bool { return w.x.Op.Plan.Migrate || rotates(&w.x.Op.Plan) }

// flip is the moment of the change. Without a move it may be repeated after another update has begun:
// the organization is not this one's then, and has been changed.
func (w *Update) flip(ctx context.Context) error {
	if w.x.Op.Plan.Migrate {
		return w.move.Flip(ctx)
	}
	o, err := w.s.Master.Organizations.ChangeKnown(ctx, w.x.Op.OrgID, w.move.Known(), func(o *master.Organization) (bool, error) {
		if o.Operation != w.x.Op.ID {
			return false, nil
		}
		if o.Token != w.x.Op.Lease.Token {
			return false, master.ErrLeaseLost
		}
		if p := w.x.Op.Plan; p.Name != "" {
			o.Name, o.NameKey = p.Name, p.NameKey
		}
		if !w.detachesLast() {
			o.Operation = ""
		}
		o.UpdatedAt = w.s.Now()
		return true, nil
	})
	if err == nil {
		w.move.Learn(o)
		w.detached = o
	}
	return master.UnlessGone(err)
}

// exchange reserves the new name and address, and records in the plan which reservations to release after
// the flip, since a later operation may reserve the same keys again.
func (w *Update) exchange(ctx context.Context) error {
	var name, email string
	p := w.x.Op.Plan
	err := beside.All(
		func() error { return w.reserve(ctx) },
		func() (err error) {
			if Changed(p.NameKey, p.OldNameKey) != "" {
				name, err = w.holder(ctx, master.NameReservation(p.OldNameKey))
			}
			return err
		},
		func() (err error) {
			if Changed(p.EmailKey, p.OldEmailKey) != "" {
				email, err = w.holder(ctx, master.EmailReservation(p.OldEmailKey))
			}
			return err
		},
	)
	if err != nil {
		return err
	}
	w.x.Op.Plan.OldNameOperation, w.x.Op.Plan.OldEmailOperation = name, email
	return nil
}

// holder returns the operation that made a reservation, empty if there is none.
func (w *Update) holder(ctx context.Context, id string) (opID string, err error) {
	held, err := master.Found(w.s.Master.Reservations.Get(ctx, id))
	if held == nil {
		return "", master.RefuseDamaged(err)
	}
	return held.Operation, nil
}

// stage stores the new credentials beside the old ones, until the flip.
func (w *Update) stage(ctx context.Context) error {
	p := w.x.Op.Plan
	if !rotates(&p) {
		return nil
	}
	known := w.admitted.Clone()
	a, err := w.s.Master.Admins.ChangeKnown(ctx, p.AdminID, known, func(a *master.Admin) (bool, error) {
		if a.Next != nil && a.Next.Operation == w.x.Op.ID {
			return false, nil
		}
		if p.Password && w.hash == "" {
			return false, interrupted()
		}
		if err := w.mayStage(ctx, a); err != nil {
			return false, err
		}
		a.Next = &master.Credentials{Operation: w.x.Op.ID, Email: p.Email, EmailKey: p.EmailKey, PasswordHash: w.hash}
		return true, nil
	})
	if err == nil {
		w.staged = a
	}
	return err
}

// mayStage lets only the organization's one operation take the place of credentials that wait for
// another: an owner that has lost its lease would take those of the operation after it.
func (w *Update) mayStage(ctx context.Context, a *master.Admin) error {
	if a.Next == nil {
		return nil
	}
	o, err := w.s.Master.Organizations.Get(ctx, w.x.Op.OrgID)
	if err == nil && o.Operation != w.x.Op.ID {
		err = master.ErrLeaseLost
	}
	return err
}

// rotate puts the staged credentials in force. If there are none, it was done before.
func (w *Update) rotate(ctx context.Context) error {
	if !rotates(&w.x.Op.Plan) {
		return nil
	}
	a, err := w.s.Master.Admins.ChangeKnown(ctx, w.x.Op.Plan.AdminID, w.staged, func(a *master.Admin) (bool, error) {
		next := a.Next
		if next == nil || next.Operation != w.x.Op.ID {
			return false, nil
		}
		if next.Email != "" {
			a.Email, a.EmailKey = next.Email, next.EmailKey
		}
		if next.PasswordHash != "" {
			a.PasswordHash = next.PasswordHash
		}
		a.Next = nil
		a.Credential++
		a.UpdatedAt = w.s.Now()
		return true, nil
	})
	if err == nil {
		w.rotated = a
	}
	return master.UnlessGone(err)
}

func (w *Update) releaseOld(ctx context.Context) error {
	p := w.x.Op.Plan
	if p.OldNameOperation != "" {
		if err := w.s.Master.Reservations.Release(ctx, master.NameReservation(p.OldNameKey), w.x.Op.OrgID, p.OldNameOperation); err != nil {
			return err
		}
	}
	if p.OldEmailOperation != "" {
		return w.s.Master.Reservations.Release(ctx, master.EmailReservation(p.OldEmailKey), w.x.Op.OrgID, p.OldEmailOperation)
	}
	return nil
}

func (w *Update) detach(ctx context.Context) error {
	o, err := w.s.Master.Organizations.ChangeKnown(ctx, w.x.Op.OrgID, w.move.Known(), func(o *master.Organization) (bool, error) {
		if o.Operation != w.x.Op.ID {
			return false, nil
		}
		o.Operation = ""
		if w.rotated != nil {
			o.Credential = w.rotated.Credential
		} else if rotates(&w.x.Op.Plan) {
			o.Credential = 0
		}
		return true, nil
	})
	if err == nil {
		w.detached = o
	}
	return master.UnlessGone(err)
}

// Undo implements operation.Workflow. It takes back everything that was done before the flip. It
// detaches last, so that no other operation begins before that.
func (w *Update) Undo(ctx context.Context) error {
	if err := w.move.Abort(ctx); err != nil {
		return err
	}
	if err := w.move.Discard(ctx); err != nil {
		return err
	}
	if err := w.unstage(ctx); err != nil {
		return err
	}
	if err := w.withdraw(ctx); err != nil {
		return err
	}
	return w.detach(ctx)
}

func (w *Update) unstage(ctx context.Context) error {
	_, err := w.s.Master.Admins.Change(ctx, w.x.Op.Plan.AdminID, func(a *master.Admin) (bool, error) {
		if a.Next == nil || a.Next.Operation != w.x.Op.ID {
			return false, nil
		}
		a.Next = nil
		return true, nil
	})
	return master.UnlessGone(err)
}

// Detached returns the organization as the update has left it, or nil if it was gone before that.
func (w *Update) Detached() *master.Organization { return w.detached }
