package tenant

import (
	"context"

	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/move"
	"github.com/orgd/orgd/internal/tenant/operation"
)

// UpdateInput says what to change; a nil field leaves its value as it is.
type UpdateInput struct {
	Name, Email, Password *string
	// Migrate moves the data into a fresh collection.
	Migrate bool
}

// Update changes the principal's organization and the principal's credentials,
// all or nothing. New credentials end every token issued for the old ones.
// Kinds: Invalid, NameTaken, EmailTaken, OperationInProgress, TokenRevoked,
// Suspended, RateLimited, Unavailable, OutcomeUnknown. A move may have to wait for its
// turn.
func (s *Store) Update(ctx context.Context, p org.Principal, in UpdateInput) (org.Organization, error) {
	x, err := s.updates.execution(ctx, p, in)
	if err == nil {
		err = s.runner.Run(ctx, x)
	}
	if err != nil {
		return org.Organization{}, err
	}
	return x.Workflow().(*updateWorkflow).detached.Public(), nil
}

// UpdateAsync is Update for a caller that does not wait. It returns when the update is accepted,
// with the errors of Update that are known by then.
func (s *Store) UpdateAsync(ctx context.Context, p org.Principal, in UpdateInput) (org.Operation, error) {
	x, err := s.updates.execution(ctx, p, in)
	if err != nil {
		return org.Operation{}, err
	}
	return s.runner.Accept(ctx, x)
}

// updates change organizations, each by one operation.
type updates struct {
	access       *access.Access
	reservations *master.Reservations
	passwords    Passwords
	runner       *operation.Runner
	workflows    *workflows
}

// execution makes the execution of a new update, which is not stored yet.
func (u *updates) execution(ctx context.Context, p org.Principal, in UpdateInput) (*operation.Execution, error) {
	todo, hash, err := u.prepare(ctx, p, in)
	if err != nil {
		return nil, err
	}
	return u.runner.New(master.Update, p.OrgID, todo, u.workflows.update(hash))
}

// prepare refuses what can be refused before an operation begins, and hashes
// the new password, if there is one.
func (u *updates) prepare(ctx context.Context, p org.Principal, in UpdateInput) (todo master.Plan, hash string, err error) {
	o, a, err := attachable(ctx, u.access, p)
	if err != nil {
		return master.Plan{}, "", fault.Of(err)
	}
	if todo, err = planUpdate(o, a, p, in); err != nil {
		return master.Plan{}, "", err
	}
	if err := u.reservations.CheckAvailable(ctx, changed(todo.NameKey, o.NameKey), changed(todo.EmailKey, a.EmailKey)); err != nil {
		return master.Plan{}, "", fault.Of(err)
	}
	if in.Password != nil {
		if hash, err = u.passwords.Hash(ctx, *in.Password); err != nil {
			return master.Plan{}, "", fault.Of(err)
		}
	}
	return todo, hash, nil
}

// attachable returns the principal's organization if a change may begin now. It saves the cost of an
// operation that attach would refuse; attach decides.
func attachable(ctx context.Context, all *access.Access, p org.Principal) (*master.Organization, *master.Admin, error) {
	o, a, err := all.Authenticate(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	if o.Operation != "" {
		return nil, nil, o.InProgress()
	}
	return o, a, nil
}

// planUpdate keeps of the input what differs from the present values.
func planUpdate(o *master.Organization, a *master.Admin, p org.Principal, in UpdateInput) (master.Plan, error) {
	todo := master.Plan{AdminID: a.ID, Credential: p.Credential, Migrate: in.Migrate, Password: in.Password != nil}
	var nameErr, emailErr, passwordErr error
	if in.Name != nil {
		var n org.Name
		if n, nameErr = org.ParseName(*in.Name); n.Display != o.Name {
			todo.Name, todo.NameKey = n.Display, n.Key
		}
	}
	if in.Email != nil {
		var e org.Email
		if e, emailErr = org.ParseEmail(*in.Email); e.Display != a.Email {
			todo.Email, todo.EmailKey = e.Display, e.Key
		}
	}
	if in.Password != nil {
		passwordErr = org.CheckPassword(*in.Password)
	}
	return todo, invalid(atField("organization_name", nameErr), atField("email", emailErr), atField("password", passwordErr))
}

// changed returns the new key if it is not empty and differs from the old key.
func changed(key, old string) string {
	if key == old {
		return ""
	}
	return key
}

// updateWorkflow changes an organization's name and an admin's credentials, and moves the data.
type updateWorkflow struct {
	workflow
	// hash is the hash of the new password. Only the instance that has the request
	// knows it until it is stored in admins.
	hash string
	// staged is the admin with the new credentials waiting, as this owner wrote it; nil if it did not.
	staged *master.Admin
	// detached is the organization as the update left it.
	detached *master.Organization
}

func (s *workflows) update(hash string) func(*operation.Execution) operation.Workflow {
	return func(x *operation.Execution) operation.Workflow {
		return &updateWorkflow{workflow: s.workflow(x), hash: hash}
	}
}

// Steps implements operation.Workflow.
func (w *updateWorkflow) Steps() []operation.Step {
	stays := !w.x.Op.Plan.Migrate
	steps := []operation.Step{
		{Name: "attach", Do: w.attach, Joins: true},
		{Name: "reserve", Do: w.reserve, Joins: true},
		// Its checkpoint keeps what the organization was, which the steps after the flip need.
		{Name: "stage", Do: w.stage, Accepts: true},
		{Name: move.ClaimStep, Do: w.move.Claim, Skip: stays, Joins: true},
		{Name: "announce", Do: w.move.Announce, Skip: stays, Joins: true},
		{Name: "build", Do: w.move.Build, Skip: stays, Joins: true},
		{Name: master.CopyStep, Do: w.move.Copy, Skip: stays, Joins: true},
		{Name: "catch up", Do: w.move.CatchUp, Skip: stays, Joins: true},
		{Name: "verify", Do: w.move.Verify, Skip: stays},
		// After this step the update cannot be undone, and no later step refuses it.
		{Name: move.FlipStep, Do: w.move.Flip, Joins: true},
		{Name: move.CredentialsStep, Do: w.rotate, Joins: true},
		// The last before detach has a checkpoint: another update may begin with it, and the flip
		// is not to be repeated then.
		{Name: "release", Do: w.releaseOld, Joins: !stays},
		{Name: "enliven", Do: w.move.MarkLive, Skip: stays, Joins: true},
		{Name: "retire", Do: w.move.RetireSource, Skip: stays},
		{Name: "detach", Do: w.detach},
	}
	for i := range steps {
		steps[i].Do = w.move.Guard(steps[i].Do)
	}
	return steps
}

// Forget implements operation.Workflow. An update that was refused before it was attached does not
// belong to the organization's history.
func (w *updateWorkflow) Forget(out master.Outcome) bool {
	return out == master.Failed && w.x.Op.Plan.OldNameKey == ""
}

// rotates reports whether the update changes credentials.
func rotates(p *master.Plan) bool { return p.Email != "" || p.Password }

// stage stores the new credentials beside the old ones, until the flip.
func (w *updateWorkflow) stage(ctx context.Context) error {
	p := w.x.Op.Plan
	if !rotates(&p) {
		return nil
	}
	a, err := w.s.master.Admins.Change(ctx, p.AdminID, func(a *master.Admin) (bool, error) {
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
func (w *updateWorkflow) mayStage(ctx context.Context, a *master.Admin) error {
	if a.Next == nil {
		return nil
	}
	o, err := w.s.master.Organizations.Get(ctx, w.x.Op.OrgID)
	if err == nil && o.Operation != w.x.Op.ID {
		err = master.ErrLeaseLost
	}
	return err
}

// rotate puts the staged credentials in force. If there are none, it was done before.
func (w *updateWorkflow) rotate(ctx context.Context) error {
	if !rotates(&w.x.Op.Plan) {
		return nil
	}
	_, err := w.s.master.Admins.ChangeKnown(ctx, w.x.Op.Plan.AdminID, w.staged, func(a *master.Admin) (bool, error) {
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
		a.UpdatedAt = w.s.now()
		return true, nil
	})
	return master.UnlessGone(err)
}

func (w *updateWorkflow) releaseOld(ctx context.Context) error {
	p := w.x.Op.Plan
	if p.OldNameOperation != "" {
		if err := w.s.master.Reservations.Release(ctx, master.NameReservation(p.OldNameKey), w.x.Op.OrgID, p.OldNameOperation); err != nil {
			return err
		}
	}
	if p.OldEmailOperation != "" {
		return w.s.master.Reservations.Release(ctx, master.EmailReservation(p.OldEmailKey), w.x.Op.OrgID, p.OldEmailOperation)
	}
	return nil
}

func (w *updateWorkflow) detach(ctx context.Context) error {
	o, err := w.s.master.Organizations.ChangeKnown(ctx, w.x.Op.OrgID, w.move.Known(), func(o *master.Organization) (bool, error) {
		if o.Operation != w.x.Op.ID {
			return false, nil
		}
		o.Operation = ""
		return true, nil
	})
	w.detached = o
	return master.UnlessGone(err)
}

// Undo implements operation.Workflow. It takes back everything that was done before the flip. It
// detaches last, so that no other operation begins before that.
func (w *updateWorkflow) Undo(ctx context.Context) error {
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

func (w *updateWorkflow) unstage(ctx context.Context) error {
	_, err := w.s.master.Admins.Change(ctx, w.x.Op.Plan.AdminID, func(a *master.Admin) (bool, error) {
		if a.Next == nil || a.Next.Operation != w.x.Op.ID {
			return false, nil
		}
		a.Next = nil
		return true, nil
	})
	return master.UnlessGone(err)
}
