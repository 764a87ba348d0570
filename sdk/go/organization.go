package orgd

import (
	"context"
	"errors"
	"fmt"

	"github.com/orgd/orgd/sdk/go/client"
)

// A NewOrganization is an organization to create, with its first admin.
type NewOrganization struct {
	Name     string // 1 to 100 characters
	Email    string
	Password string // 8 to 72 bytes
}

// An Update says what to change. An empty field stays as it is.
type Update struct {
	Name     string // of the organization
	Email    string // of the calling admin
	Password string // of the calling admin, 8 to 72 bytes
	// InPlace leaves the data where it is; otherwise it moves into a fresh
	// collection. It is the contract's migrate: false.
	InPlace bool
}

// CreateOrganization creates an organization, its first admin and its own, empty
// collection; all or nothing. It needs no credentials; [Client.With] makes a client of
// the new organization.
func (c *Client) CreateOrganization(ctx context.Context, o NewOrganization, opts ...CreateOption) (*Organization, error) {
	return Decode[Organization](c.api.CreateOrganization(ctx, &client.CreateOrganizationParams{IdempotencyKey: keyOf(opts)},
		client.OrganizationCreate{OrganizationName: o.Name, Email: o.Email, Password: o.Password}))
}

// GetOrganization looks an organization up by its name, in any spelling that counts as
// the same name. It is open to all callers; an admin of the organization gets more
// fields. A client whose login is refused sends it without a token.
func (c *Client) GetOrganization(ctx context.Context, name string) (*OrganizationSummary, error) {
	return Decode[OrganizationSummary](c.api.GetOrganization(ctx, &client.GetOrganizationParams{OrganizationName: name}))
}

// UpdateOrganization changes the client's own organization and moves its data
// into a fresh collection, unless u says InPlace. A new e-mail address or
// password ends every token of the admin; a client made with [WithLogin] logs in
// with the new credentials from then on. If the outcome is unknown, errors.Is(err,
// [ErrOutcomeUnknown]), its next login finds out which credentials are good.
func (c *Client) UpdateOrganization(ctx context.Context, u Update) (*Organization, error) {
	s := c.config.doer.Session
	change := s.Expect(u.Email, u.Password)
	resp, err := c.api.UpdateOrganization(ctx, nil, u.body())
	if !errors.Is(err, ErrOutcomeUnknown) {
		s.Settle(change, err == nil) // it is done, whether or not the answer can be read
	}
	return Decode[Organization](resp, err)
}

// DeleteOrganization deletes the client's own organization with all of its data
// and admins. Its name and e-mail addresses are free again, and it cannot be undone;
// unless the operator has set a time of grace: then the receipt has a PurgeAfter, and
// until then [Operator.Restore] can restore the organization.
func (c *Client) DeleteOrganization(ctx context.Context) (*DeletionReceipt, error) {
	return Decode[DeletionReceipt](c.api.DeleteOrganization(ctx, nil))
}

func (u Update) body() client.OrganizationUpdate {
	body := client.OrganizationUpdate{OrganizationName: given(u.Name), Email: given(u.Email), Password: given(u.Password)}
	if u.InPlace {
		body.Migrate = pointer(false)
	}
	return body
}

// String leaves the password out.
func (o NewOrganization) String() string { return fmt.Sprintf("{Name:%q Email:%q}", o.Name, o.Email) }

// GoString is String.
func (o NewOrganization) GoString() string { return "orgd.NewOrganization" + o.String() }

// String leaves the password out.
func (u Update) String() string {
	return fmt.Sprintf("{Name:%q Email:%q new password:%t InPlace:%t}", u.Name, u.Email, u.Password != "", u.InPlace)
}

// GoString is String.
func (u Update) GoString() string { return "orgd.Update" + u.String() }
