package access

import (
	"context"
	"errors"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/master"
)

// Pair reads an organization and an admin, at the same time if the storage is reached by messages.
func (a *Access) Pair(ctx context.Context, orgID, adminID string) (*master.Organization, *master.Admin, error) {
	admin := a.Reader.Admin(ctx, adminID)
	o, err := a.Reader.Organization(ctx, orgID)
	if err != nil {
		return nil, nil, err
	}
	found, err := admin(ctx)
	return o, found, err
}

// Authenticate checks a token's principal against the storage, without a cache: the organization and
// the admin exist and belong together, the credentials are those the token was issued for, and the
// organization's state permits use. If only the state does not, it returns organization and admin
// with the error.
func (a *Access) Authenticate(ctx context.Context, p org.Principal) (*master.Organization, *master.Admin, error) {
	o, admin, err := a.Pair(ctx, p.OrgID, p.AdminID)
	return checkPrincipal(p, o, admin, err)
}

// checkPrincipal checks a principal against the organization and the admin that were read.
func checkPrincipal(p org.Principal, o *master.Organization, a *master.Admin, err error) (*master.Organization, *master.Admin, error) {
	switch {
	case errors.Is(err, docdb.ErrNotFound):
		return nil, nil, master.Revoked()
	case err != nil:
		return nil, nil, err
	case a.OrgID != o.ID || master.CredentialOf(o, a) != p.Credential:
		return nil, nil, master.Revoked()
	}
	return o, a, o.CheckUsable()
}
