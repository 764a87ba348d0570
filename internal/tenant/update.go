package tenant

import (
	"context"

	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
	"github.com/orgd/orgd/internal/tenant/workflow"
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
		todo := x.Op.Plan
		err = s.runner.Run(ctx, x)
		s.updates.taken.note(err, todo.NameKey, todo.EmailKey)
	}
	if err != nil {
		return org.Organization{}, err
	}
	o := x.Workflow().(*workflow.Update).Detached()
	if o == nil { // it was deleted just after
		return org.Organization{}, master.Revoked()
	}
	return o.Public(), nil
}

// UpdateAsync is Update for a caller that does not wait. It returns when the update is accepted,
// with the errors of Update that are known by then.
func (s *Store) UpdateAsync(ctx context.Context, p org.Principal, in UpdateInput) (org.Operation, error) {
	x, err := s.updates.execution(ctx, p, in)
	if err != nil {
		return org.Operation{}, err
	}
	todo := x.Op.Plan
	op, err := s.runner.Accept(ctx, x)
	s.updates.taken.note(err, todo.NameKey, todo.EmailKey)
	return op, err
}

// updates change organizations, each by one operation.
type updates struct {
	access    *access.Access
	taken     *taken
	passwords Passwords
	runner    *operation.Runner
	workflows *workflow.Workflows
}

// execution makes the execution of a new update, which is not stored yet.
func (u *updates) execution(ctx context.Context, p org.Principal, in UpdateInput) (*operation.Execution, error) {
	begins, err := attachable(ctx, u.access, p)
	if err != nil {
		return nil, fault.Of(err)
	}
	todo, hash, err := u.prepare(ctx, begins, p, in)
	if err != nil {
		return nil, err
	}
	return u.runner.New(master.Update, p.OrgID, todo, u.workflows.Update(hash, begins))
}

// prepare refuses what can be refused before an operation begins, and hashes
// the new password, if there is one.
func (u *updates) prepare(ctx context.Context, begins workflow.Account, p org.Principal, in UpdateInput) (todo master.Plan, hash string, err error) {
	if todo, err = planUpdate(begins.Org, begins.Admin, p, in); err != nil {
		return master.Plan{}, "", err
	}
	if err := u.taken.check(ctx, workflow.Changed(todo.NameKey, begins.Org.NameKey), workflow.Changed(todo.EmailKey, begins.Admin.EmailKey)); err != nil {
		return master.Plan{}, "", fault.Of(err)
	}
	if in.Password != nil {
		if hash, err = u.passwords.Hash(ctx, *in.Password); err != nil {
			return master.Plan{}, "", fault.Of(err)
		}
	}
	return todo, hash, nil
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
