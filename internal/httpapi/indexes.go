package httpapi

import (
	"context"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/tenant"
)

// ListIndexes implements api.StrictServerInterface.
func (h handlers) ListIndexes(ctx context.Context, _ api.ListIndexesRequestObject) (api.ListIndexesResponseObject, error) {
	docs, err := h.documents(ctx)
	if err != nil {
		return nil, err
	}
	list, err := docs.Indexes(ctx)
	if err != nil {
		return nil, err
	}
	out := api.ListIndexes200JSONResponse{Items: []api.Index{}} // never null
	for _, ix := range list {
		out.Items = append(out.Items, index(ix))
	}
	return out, nil
}

// CreateIndex implements api.StrictServerInterface.
func (h handlers) CreateIndex(ctx context.Context, req api.CreateIndexRequestObject) (api.CreateIndexResponseObject, error) {
	docs, err := h.documents(ctx)
	if err != nil {
		return nil, err
	}
	ix := tenant.Index{Name: req.Body.Name, Unique: req.Body.Unique != nil && *req.Body.Unique}
	for _, key := range req.Body.Keys {
		ix.Keys = append(ix.Keys, tenant.Key{Path: key.Path, Desc: key.Order != nil && *key.Order == api.IndexKeyOrder("desc")})
	}
	if err := docs.CreateIndex(request.Of(ctx).Shares(ctx), ix); err != nil {
		return nil, err
	}
	return api.CreateIndex201JSONResponse(index(ix)), nil
}

// DeleteIndex implements api.StrictServerInterface.
func (h handlers) DeleteIndex(ctx context.Context, req api.DeleteIndexRequestObject) (api.DeleteIndexResponseObject, error) {
	docs, err := h.documents(ctx)
	if err != nil {
		return nil, err
	}
	if err := docs.DropIndex(ctx, req.Name); err != nil {
		return nil, err
	}
	return api.DeleteIndex204Response{}, nil
}

// index is an index as the contract has it.
func index(ix tenant.Index) api.Index {
	out := api.Index{Name: ix.Name, Unique: ix.Unique}
	for _, key := range ix.Keys {
		order := api.IndexKeyOrder("asc")
		if key.Desc {
			order = api.IndexKeyOrder("desc")
		}
		out.Keys = append(out.Keys, api.IndexKey{Path: key.Path, Order: &order})
	}
	return out
}
