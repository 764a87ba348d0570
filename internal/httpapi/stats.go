package httpapi

import (
	"context"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/httpapi/request"
)

// GetStats implements api.StrictServerInterface.
func (h handlers) GetStats(ctx context.Context, _ api.GetStatsRequestObject) (api.GetStatsResponseObject, error) {
	docs, err := h.documents(ctx)
	if err != nil {
		return nil, err
	}
	stats, err := docs.Stats(request.Of(ctx).Shares(ctx), h.QueryTimeout)
	if err != nil {
		return nil, err
	}
	out := api.GetStats200JSONResponse{
		Documents: stats.Documents, Bytes: stats.Bytes, IndexBytes: &stats.IndexBytes, Generation: stats.Generation, Quota: quota(stats.Quota),
		Indexes: []api.Index{}, // never null
	}
	for _, ix := range stats.Indexes {
		one := index(ix.Index)
		if ix.Bytes >= 0 {
			one.SizeBytes = &ix.Bytes
		}
		out.Indexes = append(out.Indexes, one)
	}
	return out, nil
}
