package tenant

import (
	"context"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/idempotency"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
	"github.com/orgd/orgd/internal/tenant/workflow"
)

// CreateInput is a new organization and its first admin.
type CreateInput struct {
	Name, Email, Password string
	// Claim is the claim of a request with an idempotency key, or nil.
	Claim *Claim
}

// Create makes an organization with its first admin and an empty collection of
// its own, all or nothing. Kinds: Invalid, NameTaken, EmailTaken, RateLimited,
// QuotaExceeded, IdempotencyInProgress, Unavailable, OutcomeUnknown.
func (s *Store) Create(ctx context.Context, in CreateInput) (org.Organization, error) {
	name, nameErr := org.ParseName(in.Name)
	email, emailErr := org.ParseEmail(in.Email)
	wrong := invalid(atField("organization_name", nameErr), atField("email", emailErr),
		atField("password", org.CheckPassword(in.Password)))
	if wrong != nil {
		return org.Organization{}, wrong
	}
	if made, err := s.creations.madeBefore(ctx, in.Claim); made != nil || err != nil {
		return deref(made), fault.Of(err)
	}
	if err := s.creations.taken.check(ctx, name.Key, email.Key); err != nil {
		return org.Organization{}, fault.Of(err)
	}
	done, err := s.capacity.enroll(ctx)
	if err != nil {
		return org.Organization{}, fault.Of(err)
	}
	o, err := s.creations.create(ctx, in, name, email)
	done(err)
	s.creations.taken.note(err, name.Key, email.Key)
	return o, err
}

// creations make organizations, each by one operation.
type creations struct {
	passwords  Passwords
	operations *master.Table[master.Operation, *master.Operation]
	runner     *operation.Runner
	workflows  *workflow.Workflows
	instance   string
	leaseTTL   time.Duration
	now        func() time.Time
	taken      *taken
}

// create is Create after the checks that can be made beforehand.
func (c *creations) create(ctx context.Context, in CreateInput, name org.Name, email org.Email) (org.Organization, error) {
	hash, err := c.passwords.Hash(ctx, in.Password)
	if err != nil {
		return org.Organization{}, fault.Of(err)
	}
	orgID, err := master.NewID()
	if err != nil {
		return org.Organization{}, fault.Of(err)
	}
	adminID, err := master.NewID()
	if err != nil {
		return org.Organization{}, fault.Of(err)
	}
	x, err := c.runner.New(master.Create, orgID, master.Plan{
		AdminID: adminID, Name: name.Display, NameKey: name.Key,
		Email: email.Display, EmailKey: email.Key, Generation: 1,
	}, c.workflows.Create(hash))
	if err == nil && in.Claim != nil {
		err = in.Claim.Creates(ctx, x.Op)
	}
	if err == nil {
		err = c.runner.Run(ctx, x)
	}
	if err != nil {
		return org.Organization{}, err
	}
	return created(x.Op), nil
}

// created returns the organization as the last step of a create wrote it.
func created(op *master.Operation) org.Organization {
	p := op.Plan
	return org.Organization{
		ID: op.OrgID, Name: p.Name, Collection: p.Target, Generation: p.Generation, State: org.StateActive,
		AdminID: p.AdminID, CreatedAt: op.CreatedAt, UpdatedAt: op.CreatedAt,
	}
}

// madeBefore returns the organization that an earlier attempt of a request with an idempotency key
// has created, nil if there is none. It first finishes an operation that the earlier attempt left
// half-way; an operation that is not there is kept from beginning later.
func (c *creations) madeBefore(ctx context.Context, claim *Claim) (*org.Organization, error) {
	if claim == nil || claim.Operation() == "" {
		return nil, nil
	}
	op, err := master.Found(c.operations.Get(ctx, claim.Operation()))
	if err == nil && op == nil {
		op, err = c.runner.Forestall(ctx, master.Create, claim.Operation())
	}
	if err != nil {
		return nil, err
	}
	if op.Outcome == master.Running {
		if wait := op.Lease.Until.Sub(c.now()); wait > 0 && op.Lease.Owner != c.instance {
			return nil, idempotency.InProgress(wait)
		}
		if _, err := c.runner.ResumeNow(ctx, op); err != nil {
			return nil, errors.Join(docdb.ErrOutcomeUnknown, err)
		}
	}
	switch op.Outcome {
	case master.Running:
		return nil, idempotency.InProgress(c.leaseTTL) // another instance was faster
	case master.Succeeded:
		made := created(op)
		return &made, nil
	}
	return nil, nil
}

// deref returns the zero value for nil.
func deref(o *org.Organization) org.Organization {
	if o == nil {
		return org.Organization{}
	}
	return *o
}
