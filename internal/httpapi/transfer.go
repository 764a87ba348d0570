package httpapi

import (
	"context"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/httpapi/transfer"
	"github.com/orgd/orgd/internal/tenant"
)

// ExportDocuments implements api.StrictServerInterface.
func (h handlers) ExportDocuments(ctx context.Context, req api.ExportDocumentsRequestObject) (api.ExportDocumentsResponseObject, error) {
	return h.export(ctx, api.ExportQuery{Filter: filterOf(req.Params.Filter), Canonical: req.Params.Canonical})
}

// ExportQuery implements api.StrictServerInterface.
func (h handlers) ExportQuery(ctx context.Context, req api.ExportQueryRequestObject) (api.ExportQueryResponseObject, error) {
	return h.export(ctx, *req.Body)
}

func (a *API) export(ctx context.Context, in api.ExportQuery) (*transfer.Export, error) {
	filter, err := takeFilter(ctx, in.Filter)
	if err != nil {
		return nil, err
	}
	return a.transfers.NewExport(ctx, filter, in.Canonical != nil && *in.Canonical)
}

// ImportDocuments implements api.StrictServerInterface.
func (h handlers) ImportDocuments(ctx context.Context, req api.ImportDocumentsRequestObject) (api.ImportDocumentsResponseObject, error) {
	var how tenant.OnConflict
	if req.Params.OnConflict != nil {
		switch *req.Params.OnConflict {
		case api.OnConflictSkip:
			how = tenant.ConflictSkips
		case api.OnConflictReplace:
			how = tenant.ConflictReplaces
		}
	}
	return h.transfers.NewImport(ctx, req.Body, how)
}
