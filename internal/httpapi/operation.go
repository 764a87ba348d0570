package httpapi

import (
	"context"
	"strings"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// respondAsync is the one preference (RFC 7240) that is honoured.
const respondAsync = "respond-async"

// prefersAsync looks for respondAsync among the preferences of a request.
func prefersAsync(prefer *string) bool {
	if prefer == nil {
		return false
	}
	for preference := range strings.SplitSeq(*prefer, ",") {
		name, _, _ := strings.Cut(preference, ";")
		if strings.EqualFold(strings.TrimSpace(name), respondAsync) {
			return true
		}
	}
	return false
}

func (a *API) updateAsync(ctx context.Context, p org.Principal, in tenant.UpdateInput) (api.UpdateOrganizationResponseObject, error) {
	op, err := a.Store.UpdateAsync(ctx, p, in)
	if err != nil {
		return nil, err
	}
	body, err := operationBody(op)
	return api.UpdateOrganization202JSONResponse{
		Body:    body,
		Headers: api.UpdateOrganization202ResponseHeaders{Location: operationPath(op), PreferenceApplied: respondAsync},
	}, err
}

func (a *API) deleteAsync(ctx context.Context, p org.Principal) (api.DeleteOrganizationResponseObject, error) {
	op, receipt, err := a.Store.DeleteAsync(ctx, p)
	if err != nil {
		return nil, err
	}
	if op == nil {
		return deletionReceipt(receipt)
	}
	body, err := operationBody(*op)
	return api.DeleteOrganization202JSONResponse{
		Body:    body,
		Headers: api.DeleteOrganization202ResponseHeaders{Location: operationPath(*op), PreferenceApplied: respondAsync},
	}, err
}

func operationPath(op org.Operation) string { return "/org/operations/" + op.ID }

// GetOperation implements api.StrictServerInterface.
func (h handlers) GetOperation(ctx context.Context, req api.GetOperationRequestObject) (api.GetOperationResponseObject, error) {
	p, err := request.Principal(ctx)
	if err != nil {
		return nil, err
	}
	op, err := h.Store.Operation(ctx, p.OrgID, req.ID.String())
	if err != nil {
		return nil, err
	}
	body, err := operationBody(op)
	return api.GetOperation200JSONResponse(body), err
}

// ListOperations implements api.StrictServerInterface.
func (h handlers) ListOperations(ctx context.Context, req api.ListOperationsRequestObject) (api.ListOperationsResponseObject, error) {
	p, err := request.Principal(ctx)
	if err != nil {
		return nil, err
	}
	after, err := afterCursor(req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	all, next, err := h.Store.Operations(ctx, p.OrgID, after, limitOf(req.Params.Limit))
	if err != nil {
		return nil, err
	}
	out := api.ListOperations200JSONResponse{Items: make([]api.Operation, len(all)), NextCursor: cursorAfter(next)}
	for i, op := range all {
		if out.Items[i], err = operationBody(op); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// operationBody is an operation as the contract has it.
func operationBody(op org.Operation) (api.Operation, error) {
	id, err := parseID("operation", op.ID)
	if err != nil {
		return api.Operation{}, err
	}
	out := api.Operation{
		ID: id, Kind: api.OperationKind(op.Kind), State: api.OperationState(op.State), Step: op.Step,
		DocumentsCopied: op.DocumentsCopied, DocumentsTotal: op.DocumentsTotal, BytesCopied: op.BytesCopied,
		StartedAt: instant(op.StartedAt), UpdatedAt: instant(op.UpdatedAt),
		Eta: unlessZero(op.ETA), FinishedAt: unlessZero(op.FinishedAt),
	}
	if op.Failure != nil {
		told := problem.New(op.Failure.Kind, op.Failure.Message)
		out.Error = &api.OperationError{Code: api.ErrorCode(told.Code), Detail: told.Detail}
	}
	return out, nil
}
