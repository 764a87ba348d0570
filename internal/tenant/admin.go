package tenant

import (
	"context"
	"errors"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// Login checks an admin's credentials and returns what a token for them says.
// An unknown address, a wrong password and an organization that is not there
// read the same and take the same time. Kinds: BadCredentials, Suspended,
// RateLimited, Unavailable.
func (s *Store) Login(ctx context.Context, email, password string) (org.Principal, error) {
	a, o, err := s.account(ctx, email)
	if err != nil {
		return org.Principal{}, fault(err)
	}
	ok, err := s.cfg.Passwords.Verify(ctx, a.PasswordHash, password)
	if err != nil {
		return org.Principal{}, fault(err)
	}
	if !ok {
		return org.Principal{}, org.Errorf(org.BadCredentials, "The e-mail address or the password is wrong.")
	}
	if o.State == org.StateSuspended {
		return org.Principal{}, suspended()
	}
	return org.Principal{AdminID: a.ID, OrgID: a.OrgID, Role: a.Role, Credential: credentialOf(o, a)}, nil
}

// account returns the admin of that address and its organization, and an admin
// without a password hash, whom no password fits, if there is none to log in.
func (s *Store) account(ctx context.Context, address string) (*admin, *organization, error) {
	nobody := &admin{}
	email, err := org.ParseEmail(address)
	if err != nil {
		return nobody, nil, nil
	}
	res, err := s.reservations.get(ctx, emailReservation(email.Key))
	if errors.Is(err, docdb.ErrNotFound) {
		return nobody, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	o, a, err := s.pair(ctx, res.OrgID, res.AdminID)
	if errors.Is(err, docdb.ErrNotFound) {
		return nobody, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	// An address is reserved before its change is decided, and until after.
	if a.EmailKey != email.Key || o.State == org.StateProvisioning || o.State == org.StateDeleting {
		return nobody, nil, nil
	}
	return a, o, nil
}

// pair reads an organization and an admin: at the same time, where that takes a
// message each.
func (s *Store) pair(ctx context.Context, orgID, adminID string) (*organization, *admin, error) {
	if s.cfg.Exclusive {
		o, err := s.organization(ctx, orgID)
		if err != nil {
			return nil, nil, err
		}
		a, err := s.admins.get(ctx, adminID)
		return o, a, err
	}
	return s.pairWith(ctx, orgID, s.sharedAdmins.ask(ctx, adminID))
}

// pairWith is pair when the admin has been asked for.
func (s *Store) pairWith(ctx context.Context, orgID string, asked *reading[*admin]) (*organization, *admin, error) {
	o, err := s.organization(ctx, orgID)
	if err != nil {
		return nil, nil, err
	}
	a, err := asked.wait(ctx)
	return o, a, err
}

// Authenticate checks that what a token says is still so, in the storage and
// without a cache: the organization and the admin exist and belong together, the
// credentials are the ones the token was issued for, and the state permits use.
// It is the one way to an organization's data. Kinds: TokenRevoked, Suspended,
// Unavailable.
func (s *Store) Authenticate(ctx context.Context, p org.Principal) (org.Organization, error) {
	o, _, err := s.authenticate(ctx, p)
	if err != nil {
		return org.Organization{}, fault(err)
	}
	return o.public(), nil
}

// AuthenticateWatcher is Authenticate for who only asks how an operation gets on:
// the admins of an organization that is being deleted may, too.
func (s *Store) AuthenticateWatcher(ctx context.Context, p org.Principal) (org.Organization, error) {
	o, _, err := s.authenticate(ctx, p)
	if err != nil && o != nil && o.State == org.StateDeleting && o.Operation != "" && o.PurgeAfter == nil {
		err = nil
	}
	if err != nil {
		return org.Organization{}, fault(err)
	}
	return o.public(), nil
}

func (s *Store) authenticate(ctx context.Context, p org.Principal) (*organization, *admin, error) {
	o, a, err := s.pair(ctx, p.OrgID, p.AdminID)
	return judge(p, o, a, err)
}

// judge decides on what was read of a principal's organization and admin.
func judge(p org.Principal, o *organization, a *admin, err error) (*organization, *admin, error) {
	switch {
	case errors.Is(err, docdb.ErrNotFound):
		return nil, nil, revoked()
	case err != nil:
		return nil, nil, err
	case a.OrgID != o.ID || credentialOf(o, a) != p.Credential:
		return nil, nil, revoked()
	}
	return o, a, usable(o)
}

// credentialOf is the version that a token is issued for. It is another one, for good, after
// every change of the admin's credentials and after whatever ends all sessions of the
// organization: neither of the two numbers is ever lowered.
func credentialOf(o *organization, a *admin) int64 { return a.Credential + o.Ended }

// usable refuses an organization that its own admins may not use now.
func usable(o *organization) error {
	switch o.State {
	case org.StateActive:
		return nil
	case org.StateSuspended:
		return suspended()
	}
	return revoked()
}

func revoked() *org.Error {
	return org.Errorf(org.TokenRevoked, "The token is no longer good: its credentials were changed, or its organization is gone. Log in again.")
}

func suspended() *org.Error {
	return org.Errorf(org.Suspended, "The organization is suspended. Ask the operator of this service.")
}
