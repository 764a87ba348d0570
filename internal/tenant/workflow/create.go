package workflow

import (
	"context"
	"errors"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/beside"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
)

// create makes an organization with its first admin and an empty collection.
type create struct {
	base
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

// Create returns the constructor of the workflow that makes an organization; hash is the hash of the
// first admin's password, or empty if it is not known any more.
func (s *Workflows) Create(hash string) func(*operation.Execution) operation.Workflow {
	return func(x *operation.Execution) operation.Workflow {
		return &create{base: s.base(x, Account{}), hash: hash}
	}
}

// Steps implements operation.Workflow. What does not need one another is done at the same time.
func (w *create) Steps() []operation.Step {
	return []operation.Step{
		{Name: "reserve", Do: w.begin, Joins: true, Was: []string{"admin", "organization", "claim"}},
		{Name: "build", Do: w.build, Joins: true, Was: []string{"enliven"}},
		{Name: "activate", Do: w.activate},
	}
}

// begin takes the name and the address, and enters the organization, which nobody can use yet, and the
// first collection that it may get.
func (w *create) begin(ctx context.Context) error {
	slug := org.Name{Key: w.x.Op.Plan.NameKey}.Slug()
	return beside.All(
		func() error { return w.reserve(ctx) },
		func() error { return w.insertOrganization(ctx) },
		func() (err error) {
			if w.x.Fresh() {
				w.proposed, err = w.s.Registry.Propose(ctx, w.x.Op, slug)
			}
			return err
		},
	)
}

// build makes the admin and the collection. The checkpoint beside them fails an owner that has stalled
// while another has undone the create: what that owner has inserted since is not to be made active.
func (w *create) build(ctx context.Context) error {
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
				made, adopted, err = w.s.Registry.Adopt(ctx, w.proposed, slug)
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
func (w *create) rebuild(ctx context.Context) error {
	op := w.x.Op
	o, err := w.s.Master.Organizations.Get(ctx, op.OrgID)
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
func (w *create) buildAnother(ctx context.Context) error {
	if err := w.move.Claim(ctx); err != nil {
		return err
	}
	if err := w.x.Checkpoint(ctx, func(*master.Operation) {}); err != nil {
		return err
	}
	return w.move.MarkLive(ctx)
}

// Forget implements operation.Workflow.
func (w *create) Forget(out master.Outcome) bool { return out == master.Failed }

// admin is the organization's first.
func (w *create) admin() *master.Admin {
	op, p := w.x.Op, w.x.Op.Plan
	return &master.Admin{
		Meta: master.Meta{ID: p.AdminID}, OrgID: op.OrgID, Email: p.Email, EmailKey: p.EmailKey,
		PasswordHash: w.hash, Role: org.RoleOwner, Credential: 1, Operation: op.ID,
		CreatedAt: op.CreatedAt, UpdatedAt: op.CreatedAt,
	}
}

// insertAdmin is the one effect that a crash can make impossible to repeat, since the hash is only in
// the memory of this process. Then the create is undone.
func (w *create) insertAdmin(ctx context.Context, a *master.Admin) error {
	if a.PasswordHash == "" {
		return w.needAdmin(ctx, a.ID)
	}
	err := w.s.Master.Admins.Insert(ctx, a)
	if errors.Is(err, docdb.ErrDuplicate) {
		return nil
	}
	return err
}

func (w *create) needAdmin(ctx context.Context, id string) error {
	_, err := w.s.Master.Admins.Get(ctx, id)
	if errors.Is(err, docdb.ErrNotFound) {
		return interrupted()
	}
	return err
}

// interrupted refuses an operation whose new password was lost in a crash.
func interrupted() error {
	return org.Errorf(org.Unavailable, "The server stopped before the new password was stored. Try again.")
}

func (w *create) insertOrganization(ctx context.Context) error {
	p := w.x.Op.Plan
	o := &master.Organization{
		Meta: master.Meta{ID: w.x.Op.OrgID}, Name: p.Name, NameKey: p.NameKey, State: org.StateProvisioning,
		AdminID: p.AdminID, Credential: 1, Operation: w.x.Op.ID, Token: w.x.Op.Lease.Token, CreatedAt: w.x.Op.CreatedAt, UpdatedAt: w.x.Op.CreatedAt,
	}
	err := w.s.Master.Organizations.Insert(ctx, o)
	if errors.Is(err, docdb.ErrDuplicate) {
		return nil
	}
	if err == nil {
		w.inserted = o
	}
	return err
}

func (w *create) activate(ctx context.Context) error {
	_, err := w.s.Master.Organizations.ChangeKnown(ctx, w.x.Op.OrgID, w.inserted, func(o *master.Organization) (bool, error) {
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
func (w *create) Undo(ctx context.Context) error {
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
func (w *create) discard(ctx context.Context) error {
	if w.proposed != nil && !w.builds {
		return w.s.Registry.Withdraw(ctx, w.proposed)
	}
	return w.s.Registry.Discard(ctx, w.x.Op.ID)
}
