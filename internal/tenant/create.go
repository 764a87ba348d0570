package tenant

import (
	"context"
	"errors"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// CreateInput is a new organization and its first admin.
type CreateInput struct {
	Name, Email, Password string
	// Attempt is that of a request with an idempotency key, or nil.
	Attempt *Attempt
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
	if in.Attempt != nil {
		if made, err := in.Attempt.created(ctx); made != nil || err != nil {
			return deref(made), fault(err)
		}
	}
	// Looked at before the costly hash; decided by the reservations.
	if err := s.free(ctx, name.Key, email.Key); err != nil {
		return org.Organization{}, fault(err)
	}
	done, err := s.enroll(ctx)
	if err != nil {
		return org.Organization{}, fault(err)
	}
	o, err := s.create(ctx, in, name, email)
	done(err)
	return o, err
}

// create is Create when nothing is in the way any more that can be seen beforehand.
func (s *Store) create(ctx context.Context, in CreateInput, name org.Name, email org.Email) (org.Organization, error) {
	hash, err := s.cfg.Passwords.Hash(ctx, in.Password)
	if err != nil {
		return org.Organization{}, fault(err)
	}
	orgID, err := newID()
	if err != nil {
		return org.Organization{}, fault(err)
	}
	adminID, err := newID()
	if err != nil {
		return org.Organization{}, fault(err)
	}
	r, err := s.newRun(kindCreate, orgID, plan{
		AdminID: adminID, Name: name.Display, NameKey: name.Key,
		Email: email.Display, EmailKey: email.Key, Generation: 1,
	}, hash)
	if err == nil && in.Attempt != nil {
		err = in.Attempt.creates(ctx, r.op)
	}
	if err == nil {
		err = r.begin(ctx)
	}
	if err != nil {
		return org.Organization{}, err
	}
	return r.created(), nil
}

// created is what the last step of a create wrote.
func (r *run) created() org.Organization {
	p := r.op.Plan
	return org.Organization{
		ID: r.op.OrgID, Name: p.Name, Collection: p.Target, Generation: p.Generation, State: org.StateActive,
		AdminID: p.AdminID, CreatedAt: r.op.CreatedAt, UpdatedAt: r.op.CreatedAt,
	}
}

// free refuses a name or an e-mail address that is taken now; empty ones are free.
func (s *Store) free(ctx context.Context, nameKey, emailKey string) error {
	check := func(id string, taken *org.Error) error {
		_, err := s.reservations.get(ctx, id)
		if errors.Is(err, docdb.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return taken
	}
	if nameKey != "" {
		if err := check(nameReservation(nameKey), nameTaken()); err != nil {
			return err
		}
	}
	if emailKey != "" {
		return check(emailReservation(emailKey), emailTaken())
	}
	return nil
}

func createKind() kind {
	return kind{
		steps: []step{
			{name: "reserve", do: (*run).reserveBoth},
			{name: "admin", do: (*run).insertAdmin},
			{name: "organization", do: (*run).insertOrganization},
			{name: "claim", do: (*run).claimFirst},
			{name: "build", do: (*run).build},
			{name: "enliven", do: (*run).enliven},
			{name: "activate", do: (*run).activate},
		},
		undo:   (*run).undoCreate,
		forget: func(_ *operation, out outcome) bool { return out == failed },
	}
}

// reserveBoth takes the name and the e-mail address that the plan brings new.
func (r *run) reserveBoth(ctx context.Context) error {
	p := r.op.Plan
	if p.NameKey != "" && p.NameKey != p.OldNameKey {
		if err := r.reserve(ctx, nameReservation(p.NameKey), "", nameTaken()); err != nil {
			return err
		}
	}
	if p.EmailKey != "" && p.EmailKey != p.OldEmailKey {
		return r.reserve(ctx, emailReservation(p.EmailKey), p.AdminID, emailTaken())
	}
	return nil
}

// insertAdmin is the one step that a crash can make impossible to repeat: the
// hash is nowhere but here. Then the create is undone.
func (r *run) insertAdmin(ctx context.Context) error {
	p := r.op.Plan
	if r.hash == "" {
		return r.needAdmin(ctx)
	}
	err := r.admins.insert(ctx, &admin{
		Meta: Meta{ID: p.AdminID}, OrgID: r.op.OrgID, Email: p.Email, EmailKey: p.EmailKey,
		PasswordHash: r.hash, Role: org.RoleOwner, Credential: 1, Operation: r.op.ID,
		CreatedAt: r.op.CreatedAt, UpdatedAt: r.op.CreatedAt,
	})
	if errors.Is(err, docdb.ErrDuplicate) {
		return nil
	}
	return err
}

func (r *run) needAdmin(ctx context.Context) error {
	_, err := r.admins.get(ctx, r.op.Plan.AdminID)
	if errors.Is(err, docdb.ErrNotFound) {
		return interrupted()
	}
	return err
}

// interrupted refuses an operation whose new password was lost in a crash.
func interrupted() error {
	return org.Errorf(org.Unavailable, "The server stopped before the new password was stored. Try again.")
}

func (r *run) insertOrganization(ctx context.Context) error {
	p := r.op.Plan
	err := r.organizations.insert(ctx, &organization{
		Meta: Meta{ID: r.op.OrgID}, Name: p.Name, NameKey: p.NameKey, State: org.StateProvisioning,
		AdminID: p.AdminID, Operation: r.op.ID, Fence: r.op.Lease.Fence, CreatedAt: r.op.CreatedAt, UpdatedAt: r.op.CreatedAt,
	})
	if errors.Is(err, docdb.ErrDuplicate) {
		return nil
	}
	return err
}

func (r *run) claimFirst(ctx context.Context) (err error) {
	slug := org.Name{Key: r.op.Plan.NameKey}.Slug()
	r.op.Plan.Target, err = r.claim(ctx, slug, r.op.Plan.Generation)
	return err
}

func (r *run) activate(ctx context.Context) error {
	_, err := r.organizations.change(ctx, r.op.OrgID, func(o *organization) (bool, error) {
		if o.Operation != r.op.ID { // done, and perhaps changed since
			return false, nil
		}
		if o.Fence != r.op.Lease.Fence {
			return false, errLeaseLost
		}
		o.Collection, o.Generation = r.op.Plan.Target, r.op.Plan.Generation
		o.State, o.Operation = org.StateActive, ""
		return true, nil
	})
	return err
}

// undoCreate leaves nothing: what shows the organization goes first, the
// reservations last, so that the name is free only when all else is gone.
func (r *run) undoCreate(ctx context.Context) error {
	if err := r.removeOrganization(ctx); err != nil {
		return err
	}
	if err := r.discard(ctx); err != nil {
		return err
	}
	if err := r.removeAdmins(ctx); err != nil {
		return err
	}
	return r.withdraw(ctx)
}
