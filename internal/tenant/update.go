package tenant

import (
	"context"
	"errors"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// UpdateInput says what to change; nil leaves a thing as it is.
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
	todo, hash, err := s.prepareUpdate(ctx, p, in)
	if err != nil {
		return org.Organization{}, err
	}
	r, err := s.start(ctx, kindUpdate, p.OrgID, todo, hash)
	if err != nil {
		return org.Organization{}, err
	}
	return r.detached.public(), nil
}

// prepareUpdate refuses what can be refused before an operation begins, and hashes
// the new password, if there is one.
func (s *Store) prepareUpdate(ctx context.Context, p org.Principal, in UpdateInput) (todo plan, hash string, err error) {
	o, a, err := s.attachable(ctx, p)
	if err != nil {
		return plan{}, "", fault(err)
	}
	if todo, err = planUpdate(o, a, p, in); err != nil {
		return plan{}, "", err
	}
	if err := s.free(ctx, changed(todo.NameKey, o.NameKey), changed(todo.EmailKey, a.EmailKey)); err != nil {
		return plan{}, "", fault(err)
	}
	if in.Password != nil {
		if hash, err = s.cfg.Passwords.Hash(ctx, *in.Password); err != nil {
			return plan{}, "", fault(err)
		}
	}
	return todo, hash, nil
}

// attachable returns the principal's organization if a change may begin now. It
// spares the cost of what attach would refuse; attach decides.
func (s *Store) attachable(ctx context.Context, p org.Principal) (*organization, *admin, error) {
	o, a, err := s.authenticate(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	if o.Operation != "" {
		return nil, nil, inProgress(o)
	}
	return o, a, nil
}

func inProgress(o *organization) *org.Error {
	return &org.Error{
		Kind: org.OperationInProgress, Operation: o.Operation,
		Message: "The organization is being changed. Try again when that is done.",
	}
}

// planUpdate keeps of the input what differs from what is.
func planUpdate(o *organization, a *admin, p org.Principal, in UpdateInput) (plan, error) {
	todo := plan{AdminID: a.ID, Credential: p.Credential, Migrate: in.Migrate, Password: in.Password != nil}
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

// changed returns the new key where there is one and it is not the old one.
func changed(key, old string) string {
	if key == old {
		return ""
	}
	return key
}

func updateKind() kind {
	return kind{
		steps: []step{
			{name: "attach", do: (*run).attach},
			{name: "reserve", do: (*run).reserveBoth},
			{name: "stage", do: (*run).stage, accepts: true},
			{name: "claim", do: (*run).claimNext, moves: true},
			{name: "announce", do: (*run).announce, moves: true},
			{name: "build", do: (*run).buildNext, moves: true},
			{name: copyingStep, do: (*run).copy, moves: true},
			{name: "catch up", do: (*run).catchUp, moves: true},
			{name: "verify", do: (*run).verify, moves: true},
			// From here on there is no way back once it is done, and nothing refuses.
			{name: flipping, do: (*run).flip},
			{name: "credentials", do: (*run).rotate},
			{name: "release", do: (*run).releaseOld},
			{name: "enliven", do: (*run).enliven, moves: true},
			{name: "retire", do: (*run).retireSource, moves: true},
			{name: "detach", do: (*run).detach},
		},
		undo: (*run).undoUpdate,
		// One that was refused before it was attached was never the organization's.
		forget: func(op *operation, out outcome) bool { return out == failed && op.Plan.OldNameKey == "" },
	}
}

// attach makes this the one operation that may change the organization, and
// fixes in the plan what the organization is at this moment.
func (r *run) attach(ctx context.Context) error {
	p := &r.op.Plan
	if p.Purge {
		return r.attachPurge(ctx)
	}
	a, err := r.admins.get(ctx, p.AdminID)
	if errors.Is(err, docdb.ErrNotFound) {
		return revoked()
	}
	if err != nil {
		return err
	}
	o, err := r.organizations.change(ctx, r.op.OrgID, func(o *organization) (bool, error) {
		if o.Operation == r.op.ID {
			return false, nil
		}
		if credentialOf(o, a) != p.Credential {
			return false, revoked()
		}
		if err := usable(o); err != nil {
			return false, err
		}
		if o.Operation != "" {
			return false, inProgress(o)
		}
		o.Operation, o.Fence = r.op.ID, r.op.Lease.Fence
		if r.op.Kind == kindDelete {
			o.State = org.StateDeleting
		}
		return true, nil
	})
	if errors.Is(err, docdb.ErrNotFound) {
		return revoked()
	}
	if err != nil {
		return err
	}
	p.OldNameKey, p.OldEmailKey = o.NameKey, a.EmailKey
	p.Source, p.Generation = o.Collection, o.Generation+1
	return r.noteReservations(ctx)
}

// noteReservations fixes which reservations are the ones to release after the
// flip. A later operation may reserve the same keys again.
func (r *run) noteReservations(ctx context.Context) error {
	p := &r.op.Plan
	if changed(p.NameKey, p.OldNameKey) != "" {
		held, err := r.reservations.get(ctx, nameReservation(p.OldNameKey))
		if err != nil {
			return err
		}
		p.OldName = held.Operation
	}
	if changed(p.EmailKey, p.OldEmailKey) != "" {
		held, err := r.reservations.get(ctx, emailReservation(p.OldEmailKey))
		if err != nil {
			return err
		}
		p.OldEmail = held.Operation
	}
	return nil
}

// rotates reports whether the update changes credentials.
func (p *plan) rotates() bool { return p.Email != "" || p.Password }

// stage stores the new credentials where they wait for the flip.
func (r *run) stage(ctx context.Context) error {
	p := r.op.Plan
	if !p.rotates() {
		return nil
	}
	_, err := r.admins.change(ctx, p.AdminID, func(a *admin) (bool, error) {
		if a.Next != nil && a.Next.Operation == r.op.ID {
			return false, nil
		}
		if p.Password && r.hash == "" {
			return false, interrupted()
		}
		a.Next = &credentials{Operation: r.op.ID, Email: p.Email, EmailKey: p.EmailKey, PasswordHash: r.hash}
		return true, nil
	})
	return err
}

// rotate puts the waiting credentials in force. None waiting: it was done.
func (r *run) rotate(ctx context.Context) error {
	if !r.op.Plan.rotates() {
		return nil
	}
	_, err := r.admins.change(ctx, r.op.Plan.AdminID, func(a *admin) (bool, error) {
		next := a.Next
		if next == nil || next.Operation != r.op.ID {
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
		a.UpdatedAt = r.now()
		return true, nil
	})
	return unlessGone(err)
}

func (r *run) releaseOld(ctx context.Context) error {
	p := r.op.Plan
	if p.OldName != "" {
		if err := r.release(ctx, nameReservation(p.OldNameKey), p.OldName); err != nil {
			return err
		}
	}
	if p.OldEmail != "" {
		return r.release(ctx, emailReservation(p.OldEmailKey), p.OldEmail)
	}
	return nil
}

func (r *run) detach(ctx context.Context) error {
	o, err := r.organizations.change(ctx, r.op.OrgID, func(o *organization) (bool, error) {
		if o.Operation != r.op.ID {
			return false, nil
		}
		o.Operation = ""
		return true, nil
	})
	r.detached = o
	return unlessGone(err)
}

// undoUpdate takes back all that was done before the flip. It detaches last: no
// other operation may begin between.
func (r *run) undoUpdate(ctx context.Context) error {
	if err := r.retreat(ctx); err != nil {
		return err
	}
	if err := r.discard(ctx); err != nil {
		return err
	}
	if err := r.unstage(ctx); err != nil {
		return err
	}
	if err := r.withdraw(ctx); err != nil {
		return err
	}
	return r.detach(ctx)
}

func (r *run) unstage(ctx context.Context) error {
	_, err := r.admins.change(ctx, r.op.Plan.AdminID, func(a *admin) (bool, error) {
		if a.Next == nil || a.Next.Operation != r.op.ID {
			return false, nil
		}
		a.Next = nil
		return true, nil
	})
	return unlessGone(err)
}
