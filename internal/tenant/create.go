package tenant

import (
	"context"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/beside"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/idempotency"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
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
	workflows  *workflows
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
	}, c.workflows.create(hash))
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

// createWorkflow makes an organization with its first admin and an empty collection.
type createWorkflow struct {
	workflow
	// hash is the hash of the password. Only the instance that has the request knows
	// it until it is stored in admins.
	hash string
	// inserted is the organization as this owner inserted it; nil if it did not.
	inserted *master.Organization
	// proposed is the entry of the collection as this owner proposed it; nil if it did not. builds says
	// that it may have made the collection.
	proposed *master.Collection
	builds   bool
}

func (s *workflows) create(hash string) func(*operation.Execution) operation.Workflow {
	return func(x *operation.Execution) operation.Workflow {
		return &createWorkflow{workflow: s.workflow(x, account{}), hash: hash}
	}
}

// Steps implements operation.Workflow. What does not need one another is done at the same time.
func (w *createWorkflow) Steps() []operation.Step {
	return []operation.Step{
		{Name: "reserve", Do: w.begin, Joins: true, Was: []string{"admin", "organization", "claim"}},
		{Name: "build", Do: w.build, Joins: true, Was: []string{"enliven"}},
		{Name: "activate", Do: w.activate},
	}
}

// begin takes the name and the address, and enters the organization, which nobody can use yet, and the
// first collection that it may get.
func (w *createWorkflow) begin(ctx context.Context) error {
	slug := org.Name{Key: w.x.Op.Plan.NameKey}.Slug()
	return beside.All(
		func() error { return w.reserve(ctx) },
		func() error { return w.insertOrganization(ctx) },
		func() (err error) {
			if w.x.Fresh() {
				w.proposed, err = w.s.registry.Propose(ctx, w.x.Op, slug)
			}
			return err
		},
	)
}

// build makes the admin and the collection. The checkpoint beside them fails an owner that has stalled
// while another has undone the create: what that owner has inserted since is not to be made active.
func (w *createWorkflow) build(ctx context.Context) error {
	w.builds = true
	if !w.x.Fresh() {
		return w.rebuild(ctx)
	}
	admin, slug := w.admin(), org.Name{Key: w.x.Op.Plan.NameKey}.Slug()
	var made, adopted bool
	err := beside.All(
		func() error { return w.insertAdmin(ctx, admin) },
		func() (err error) {
			if w.proposed != nil {
				made, adopted, err = w.s.registry.Adopt(ctx, w.proposed, slug)
			}
			return err
		},
		func() error { return w.x.Checkpoint(ctx, func(*master.Operation) {}) },
	)
	if made { // and may have to be dropped; only now, since it is not to be stored before it is adopted
		w.x.Op.Plan.Target = w.proposed.ID
	}
	if err != nil || adopted {
		return err
	}
	return w.buildAnother(ctx)
}

// rebuild is build after a try of which it is not known how far it came.
func (w *createWorkflow) rebuild(ctx context.Context) error {
	op := w.x.Op
	o, err := w.s.master.Organizations.Get(ctx, op.OrgID)
	switch {
	case errors.Is(err, docdb.ErrNotFound): // it was made active, and deleted since
		return interrupted()
	case err != nil:
		return err
	case o.Operation != op.ID: // it was made active
		op.Plan.Target = o.Collection
		return nil
	}
	if err := w.insertAdmin(ctx, w.admin()); err != nil {
		return err
	}
	return w.buildAnother(ctx)
}

// buildAnother makes a collection of a name that is looked for.
func (w *createWorkflow) buildAnother(ctx context.Context) error {
	if err := w.move.Claim(ctx); err != nil {
		return err
	}
	if err := w.x.Checkpoint(ctx, func(*master.Operation) {}); err != nil {
		return err
	}
	return w.move.MarkLive(ctx)
}

// Forget implements operation.Workflow.
func (w *createWorkflow) Forget(out master.Outcome) bool { return out == master.Failed }

// admin is the organization's first.
func (w *createWorkflow) admin() *master.Admin {
	op, p := w.x.Op, w.x.Op.Plan
	return &master.Admin{
		Meta: master.Meta{ID: p.AdminID}, OrgID: op.OrgID, Email: p.Email, EmailKey: p.EmailKey,
		PasswordHash: w.hash, Role: org.RoleOwner, Credential: 1, Operation: op.ID,
		CreatedAt: op.CreatedAt, UpdatedAt: op.CreatedAt,
	}
}

// insertAdmin is the one effect that a crash can make impossible to repeat, since the hash is only in
// the memory of this process. Then the create is undone.
func (w *createWorkflow) insertAdmin(ctx context.Context, a *master.Admin) error {
	if a.PasswordHash == "" {
		return w.needAdmin(ctx, a.ID)
	}
	err := w.s.master.Admins.Insert(ctx, a)
	if errors.Is(err, docdb.ErrDuplicate) {
		return nil
	}
	return err
}

func (w *createWorkflow) needAdmin(ctx context.Context, id string) error {
	_, err := w.s.master.Admins.Get(ctx, id)
	if errors.Is(err, docdb.ErrNotFound) {
		return interrupted()
	}
	return err
}

// interrupted refuses an operation whose new password was lost in a crash.
func interrupted() error {
	return org.Errorf(org.Unavailable, "The server stopped before the new password was stored. Try again.")
}

func (w *createWorkflow) insertOrganization(ctx context.Context) error {
	p := w.x.Op.Plan
	o := &master.Organization{
		Meta: master.Meta{ID: w.x.Op.OrgID}, Name: p.Name, NameKey: p.NameKey, State: org.StateProvisioning,
		AdminID: p.AdminID, Credential: 1, Operation: w.x.Op.ID, Token: w.x.Op.Lease.Token, CreatedAt: w.x.Op.CreatedAt, UpdatedAt: w.x.Op.CreatedAt,
	}
	err := w.s.master.Organizations.Insert(ctx, o)
	if errors.Is(err, docdb.ErrDuplicate) {
		return nil
	}
	if err == nil {
		w.inserted = o
	}
	return err
}

func (w *createWorkflow) activate(ctx context.Context) error {
	_, err := w.s.master.Organizations.ChangeKnown(ctx, w.x.Op.OrgID, w.inserted, func(o *master.Organization) (bool, error) {
		if o.Operation != w.x.Op.ID { // done, and perhaps changed since
			return false, nil
		}
		// Another version was an earlier try's, and arrived when this one had come and gone.
		if o.Token != w.x.Op.Lease.Token || w.inserted != nil && !o.Had(w.inserted.Version) {
			return false, master.ErrLeaseLost
		}
		o.Collection, o.Generation = w.x.Op.Plan.Target, w.x.Op.Plan.Generation
		o.State, o.Operation = org.StateActive, ""
		return true, nil
	})
	if errors.Is(err, docdb.ErrNotFound) { // it was made active by an earlier try, and deleted since
		return interrupted()
	}
	return err
}

// Undo implements operation.Workflow. It removes everything: first the organization, by which
// requests see it, and last the reservations, so that the name is free only when all else is gone.
func (w *createWorkflow) Undo(ctx context.Context) error {
	if err := w.removeOrganization(ctx); err != nil {
		return err
	}
	if err := w.discard(ctx); err != nil {
		return err
	}
	if err := w.removeAdmins(ctx); err != nil {
		return err
	}
	return w.withdraw(ctx)
}

// discard gives up what was registered for the operation. A name that was only proposed stays free for
// the next who asks for it, such as the same person with another address.
func (w *createWorkflow) discard(ctx context.Context) error {
	if w.proposed != nil && !w.builds {
		return w.s.registry.Withdraw(ctx, w.proposed)
	}
	return w.s.registry.Discard(ctx, w.x.Op.ID)
}
