package tenant

import (
	"context"
	"errors"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
)

// Login checks an admin's credentials and returns the principal for a token. The answers to an
// unknown address, a wrong password and an organization that does not exist are the same and take
// the same time. Kinds: BadCredentials, Suspended, RateLimited, Unavailable.
func (s *Store) Login(ctx context.Context, email, password string) (org.Principal, error) {
	return s.logins.principal(ctx, email, password)
}

// logins find admins by the addresses with which they log in, and check their passwords.
type logins struct {
	reservations *master.Reservations
	access       *access.Access
	passwords    Passwords
	hints        hints[accountIDs] // by addresses
}

// accountIDs are the ids of an admin and of the organization.
type accountIDs struct{ orgID, adminID string }

func (l *logins) principal(ctx context.Context, email, password string) (org.Principal, error) {
	a, o, err := l.account(ctx, email)
	if err != nil {
		return org.Principal{}, fault.Of(err)
	}
	ok, err := l.passwords.Verify(ctx, a.PasswordHash, password)
	if err != nil {
		return org.Principal{}, fault.Of(err)
	}
	if !ok {
		return org.Principal{}, org.Errorf(org.BadCredentials, "The e-mail address or the password is wrong.")
	}
	if o.State == org.StateSuspended {
		return org.Principal{}, master.Suspended()
	}
	return org.Principal{AdminID: a.ID, OrgID: a.OrgID, Role: a.Role, Credential: master.CredentialOf(o, a)}, nil
}

// account returns the admin with that address and its organization. If no such admin may log in, it
// returns an admin without a password hash, which no password matches.
func (l *logins) account(ctx context.Context, address string) (*master.Admin, *master.Organization, error) {
	email, err := org.ParseEmail(address)
	if err != nil {
		return &master.Admin{}, nil, nil
	}
	a, o, err := l.holder(ctx, email.Key)
	if errors.Is(err, docdb.ErrNotFound) {
		return &master.Admin{}, nil, nil
	}
	return a, o, err
}

// holder returns the admin who has the address now, and may log in, or docdb.ErrNotFound.
func (l *logins) holder(ctx context.Context, key string) (*master.Admin, *master.Organization, error) {
	if ids, ok := l.hints.of(key); ok {
		if a, o, err := l.of(ctx, ids, key); !errors.Is(err, docdb.ErrNotFound) {
			return a, o, err
		}
	}
	// An address is reserved from before its change is decided until after it.
	res, err := l.reservations.Get(ctx, master.EmailReservation(key))
	if err != nil {
		return nil, nil, err
	}
	ids := accountIDs{res.OrgID, res.AdminID}
	a, o, err := l.of(ctx, ids, key)
	if err == nil {
		l.hints.note(key, ids)
	}
	return a, o, err
}

// of returns the admin of those ids who has the address and may log in, or docdb.ErrNotFound.
func (l *logins) of(ctx context.Context, ids accountIDs, key string) (*master.Admin, *master.Organization, error) {
	o, a, err := l.access.Pair(ctx, ids.orgID, ids.adminID)
	if err != nil {
		return nil, nil, err
	}
	if a.EmailKey != key || a.OrgID != o.ID || o.State == org.StateProvisioning || o.State == org.StateDeleting {
		return nil, nil, docdb.ErrNotFound
	}
	return a, o, nil
}

// Authenticate checks a token's principal against the storage, without a cache: the organization
// and the admin exist and belong together, the
// credentials are the ones the token was issued for, and the state permits use.
// It is the one way to an organization's data. Kinds: TokenRevoked, Suspended,
// Unavailable.
func (s *Store) Authenticate(ctx context.Context, p org.Principal) (org.Organization, error) {
	o, _, err := s.access.Authenticate(ctx, p)
	if err != nil {
		return org.Organization{}, fault.Of(err)
	}
	return o.Public(), nil
}

// AuthenticateWatcher is Authenticate for a request for the state of an operation, which the
// admins of an organization that is being deleted may send too.
func (s *Store) AuthenticateWatcher(ctx context.Context, p org.Principal) (org.Organization, error) {
	o, _, err := s.access.Authenticate(ctx, p)
	if err != nil && o != nil && o.State == org.StateDeleting && o.Operation != "" && o.PurgeAfter == nil {
		err = nil
	}
	if err != nil {
		return org.Organization{}, fault.Of(err)
	}
	return o.Public(), nil
}
