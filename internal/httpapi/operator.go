package httpapi

import (
	"context"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/org"
)

// ListOrganizations implements api.StrictServerInterface.
func (h handlers) ListOrganizations(ctx context.Context, req api.ListOrganizationsRequestObject) (api.ListOrganizationsResponseObject, error) {
	after, err := afterCursor(req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	var state org.State
	if req.Params.State != nil {
		state = org.State(*req.Params.State)
	}
	all, next, err := h.Store.Organizations(ctx, state, after, limitOf(req.Params.Limit))
	if err != nil {
		return nil, err
	}
	out := api.ListOrganizations200JSONResponse{Items: make([]api.OperatorOrganization, len(all)), NextCursor: cursorAfter(next)}
	for i, o := range all {
		if out.Items[i], err = operatorOrganization(o); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// InspectOrganization implements api.StrictServerInterface.
func (h handlers) InspectOrganization(ctx context.Context, req api.InspectOrganizationRequestObject) (api.InspectOrganizationResponseObject, error) {
	out, err := forOperator(h.Store.Organization(ctx, req.ID.String()))
	return api.InspectOrganization200JSONResponse(out), err
}

// SuspendOrganization implements api.StrictServerInterface.
func (h handlers) SuspendOrganization(ctx context.Context, req api.SuspendOrganizationRequestObject) (api.SuspendOrganizationResponseObject, error) {
	out, err := forOperator(h.Store.SuspendOrganization(ctx, req.ID.String()))
	return api.SuspendOrganization200JSONResponse(out), err
}

// ResumeOrganization implements api.StrictServerInterface.
func (h handlers) ResumeOrganization(ctx context.Context, req api.ResumeOrganizationRequestObject) (api.ResumeOrganizationResponseObject, error) {
	out, err := forOperator(h.Store.ResumeOrganization(ctx, req.ID.String()))
	return api.ResumeOrganization200JSONResponse(out), err
}

// RestoreOrganization implements api.StrictServerInterface.
func (h handlers) RestoreOrganization(ctx context.Context, req api.RestoreOrganizationRequestObject) (api.RestoreOrganizationResponseObject, error) {
	out, err := forOperator(h.Store.RestoreOrganization(ctx, req.ID.String()))
	return api.RestoreOrganization200JSONResponse(out), err
}

func forOperator(o org.Organization, err error) (api.OperatorOrganization, error) {
	if err != nil {
		return api.OperatorOrganization{}, err
	}
	return operatorOrganization(o)
}

// operatorOrganization is an organization as the operator sees it.
func operatorOrganization(o org.Organization) (api.OperatorOrganization, error) {
	own, err := organization(o)
	if err != nil {
		return api.OperatorOrganization{}, err
	}
	out := api.OperatorOrganization{
		ID: own.ID, OrganizationName: own.OrganizationName, State: own.State, Generation: own.Generation, AdminID: own.AdminID,
		CreatedAt: own.CreatedAt, UpdatedAt: own.UpdatedAt, Operation: own.Operation, PurgeAfter: unlessZero(o.PurgeAfter),
		Quota: own.Quota,
	}
	if o.Collection != "" { // none yet while it is being created
		out.CollectionName = &own.CollectionName
	}
	return out, nil
}
