package orgd

import (
	"context"
	"iter"

	"github.com/orgd/orgd/sdk/go/client"
)

// An Operator has the methods for the operator of the service, with its key: see
// [WithOperatorKey]. If the server has no key, they all fail with [ErrNotFound].
type Operator struct{ c *Client }

// Operator returns the operator's methods of a client.
func (c *Client) Operator() *Operator { return &Operator{c} }

// String names the server.
func (o *Operator) String() string { return o.c.String() }

// GoString is String.
func (o *Operator) GoString() string { return o.String() }

// Organizations goes through all organizations, or those in a state, the newest
// first. The empty state means all.
func (o *Operator) Organizations(ctx context.Context, state State) iter.Seq2[OperatorOrganization, error] {
	return Pages(ctx, func(ctx context.Context, cursor string) ([]OperatorOrganization, string, error) {
		params := &client.ListOrganizationsParams{Cursor: given(cursor)}
		if state != "" {
			params.State = &state
		}
		page, err := Decode[client.OrganizationList](o.c.api.ListOrganizations(ctx, params))
		if err != nil {
			return nil, "", err
		}
		return page.Items, text(page.NextCursor), nil
	})
}

// Inspect returns an organization, whatever its state.
func (o *Operator) Inspect(ctx context.Context, id ID) (*OperatorOrganization, error) {
	return Decode[OperatorOrganization](o.c.api.InspectOrganization(ctx, id))
}

// Suspend refuses an organization's admins ([ErrSuspended]) until [Operator.Resume].
// Its data stays as it is. Suspending a suspended organization changes nothing.
func (o *Operator) Suspend(ctx context.Context, id ID) (*OperatorOrganization, error) {
	return Decode[OperatorOrganization](o.c.api.SuspendOrganization(ctx, id))
}

// Resume ends a suspension.
func (o *Operator) Resume(ctx context.Context, id ID) (*OperatorOrganization, error) {
	return Decode[OperatorOrganization](o.c.api.ResumeOrganization(ctx, id))
}

// Restore restores a deleted organization, with all its data, within the server's time
// of grace.
func (o *Operator) Restore(ctx context.Context, id ID) (*OperatorOrganization, error) {
	return Decode[OperatorOrganization](o.c.api.RestoreOrganization(ctx, id))
}

// SetQuota limits how much an organization may have; a field that is nil means no
// limit. A write beyond the quota fails with [ErrQuotaExceeded].
func (o *Operator) SetQuota(ctx context.Context, id ID, q Quota) (*OperatorOrganization, error) {
	return Decode[OperatorOrganization](o.c.api.SetQuota(ctx, id, client.QuotaUpdate(q)))
}
