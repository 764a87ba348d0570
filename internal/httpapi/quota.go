package httpapi

import (
	"context"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/org"
)

// SetQuota implements api.StrictServerInterface.
func (h handlers) SetQuota(ctx context.Context, req api.SetQuotaRequestObject) (api.SetQuotaResponseObject, error) {
	q := org.Quota{MaxDocuments: orZero(req.Body.MaxDocuments), MaxBytes: orZero(req.Body.MaxBytes)}
	out, err := forOperator(h.Store.SetQuota(ctx, req.ID.String(), q))
	return api.SetQuota200JSONResponse(out), err
}

// quota is a quota as the contract has it; nil where there is none.
func quota(q org.Quota) *api.Quota {
	if q == (org.Quota{}) {
		return nil
	}
	return &api.Quota{MaxDocuments: unlessNone(q.MaxDocuments), MaxBytes: unlessNone(q.MaxBytes)}
}

func unlessNone(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

func orZero(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}
