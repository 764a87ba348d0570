package httpapi

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// CreateOrganization implements api.StrictServerInterface.
func (h handlers) CreateOrganization(ctx context.Context, req api.CreateOrganizationRequestObject) (api.CreateOrganizationResponseObject, error) {
	end, err := h.signups.Begin(request.Of(ctx).Address, req.Body.Email)
	if err != nil {
		return nil, h.holdback.Hold(ctx, err, request.Of(ctx).ForgetBody)
	}
	o, err := h.Store.Create(request.WithClient(ctx, auth.Stranger), tenant.CreateInput{
		Name: req.Body.OrganizationName, Email: req.Body.Email, Password: req.Body.Password,
		Claim: request.Of(ctx).Claim,
	})
	end(err)
	if err != nil {
		return nil, err
	}
	body, err := organization(o)
	if err != nil {
		return nil, err
	}
	return api.CreateOrganization201JSONResponse{
		Body:    body,
		Headers: api.CreateOrganization201ResponseHeaders{Location: "/org/get?organization_name=" + url.QueryEscape(o.Name)},
	}, nil
}

// GetOrganization implements api.StrictServerInterface.
func (h handlers) GetOrganization(ctx context.Context, req api.GetOrganizationRequestObject) (api.GetOrganizationResponseObject, error) {
	o, err := h.Store.Lookup(ctx, req.Params.OrganizationName)
	if err != nil {
		return nil, err
	}
	all, err := organization(o)
	if err != nil {
		return nil, err
	}
	out := api.GetOrganization200JSONResponse{
		ID: all.ID, OrganizationName: all.OrganizationName, CollectionName: all.CollectionName,
		State: all.State, CreatedAt: all.CreatedAt,
	}
	// With a good token of another organization the answer shows no more than without a token.
	if p := request.Of(ctx).Principal; p != nil && p.OrgID == o.ID {
		own := all
		out.Generation, out.AdminID, out.UpdatedAt, out.Operation = &own.Generation, &own.AdminID, &own.UpdatedAt, own.Operation
		out.Quota = own.Quota
	}
	return out, nil
}

// UpdateOrganization implements api.StrictServerInterface.
func (h handlers) UpdateOrganization(ctx context.Context, req api.UpdateOrganizationRequestObject) (api.UpdateOrganizationResponseObject, error) {
	ctx, p, err := request.Admitted(ctx)
	if err != nil {
		return nil, err
	}
	in := tenant.UpdateInput{
		Name: req.Body.OrganizationName, Email: req.Body.Email, Password: req.Body.Password,
		Migrate: req.Body.Migrate == nil || *req.Body.Migrate,
	}
	// New credentials cost a hash, and whether an address is taken can be asked with them.
	if in.Email != nil || in.Password != nil {
		if err := h.rotations.Take(p.AdminID); err != nil {
			return nil, err
		}
	}
	if in.Migrate {
		if err := h.moves.Take(p.OrgID); err != nil {
			return nil, err
		}
	}
	ctx = request.WithClient(ctx, auth.Known) // by the token
	if prefersAsync(req.Params.Prefer) {
		return h.updateAsync(ctx, p, in)
	}
	o, err := h.Store.Update(ctx, p, in)
	if err != nil {
		return nil, err
	}
	body, err := organization(o)
	return api.UpdateOrganization200JSONResponse(body), err
}

// DeleteOrganization implements api.StrictServerInterface.
func (h handlers) DeleteOrganization(ctx context.Context, req api.DeleteOrganizationRequestObject) (api.DeleteOrganizationResponseObject, error) {
	ctx, p, err := request.Admitted(ctx)
	if err != nil {
		return nil, err
	}
	if prefersAsync(req.Params.Prefer) {
		return h.deleteAsync(ctx, p)
	}
	receipt, err := h.Store.Delete(ctx, p)
	if err != nil {
		return nil, err
	}
	return deletionReceipt(receipt)
}

func deletionReceipt(receipt org.DeletionReceipt) (api.DeleteOrganizationResponseObject, error) {
	id, err := parseID("organization", receipt.OrganizationID)
	if err != nil {
		return nil, err
	}
	return api.DeleteOrganization200JSONResponse{
		ID: id, OrganizationName: receipt.Name, DeletedAt: instant(receipt.DeletedAt),
		Collections: append([]string{}, receipt.Collections...), // never null
		PurgeAfter:  unlessZero(receipt.PurgeAfter),
	}, nil
}

// organization is an organization as the contract has it.
func organization(o org.Organization) (api.Organization, error) {
	id, err := parseID("organization", o.ID)
	if err != nil {
		return api.Organization{}, err
	}
	admin, err := parseID("admin", o.AdminID)
	if err != nil {
		return api.Organization{}, err
	}
	out := api.Organization{
		ID: id, OrganizationName: o.Name, CollectionName: o.Collection, State: api.State(o.State),
		Generation: o.Generation, AdminID: admin, CreatedAt: instant(o.CreatedAt), UpdatedAt: instant(o.UpdatedAt),
	}
	out.Quota = quota(o.Quota)
	if o.Operation != "" {
		operation, err := parseID("operation", o.Operation)
		if err != nil {
			return api.Organization{}, err
		}
		out.Operation = &operation
	}
	return out, nil
}

// parseID is for ids that orgd itself made: a bad id is a fault. The noun is what the id names.
func parseID(noun, id string) (uuid.UUID, error) {
	u, err := uuid.Parse(id)
	if err != nil {
		return u, &org.Error{Kind: org.Internal, Err: fmt.Errorf("parse the id of an %s: %w", noun, err)}
	}
	return u, nil
}

// unlessZero is a time as an answer has it; nil for the zero time, which it leaves out.
func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = instant(t)
	return &t
}

// instant is UTC to the millisecond, which is all that BSON keeps.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
