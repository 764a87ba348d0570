package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/org"
)

// readyTimeout is how long the storage may take to show that it can be read.
const readyTimeout = 2 * time.Second

// GetLiveness implements api.StrictServerInterface.
func (h handlers) GetLiveness(context.Context, api.GetLivenessRequestObject) (api.GetLivenessResponseObject, error) {
	return api.GetLiveness200JSONResponse{Status: api.Ok}, nil
}

// GetReadiness implements api.StrictServerInterface.
func (h handlers) GetReadiness(ctx context.Context, _ api.GetReadinessRequestObject) (api.GetReadinessResponseObject, error) {
	if h.draining.Load() {
		return nil, org.Errorf(org.Unavailable, "This server is shutting down.")
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	err := h.Store.Ready(ctx)
	var known *org.Error
	switch {
	case errors.As(err, &known) && known.Err == nil, errors.Is(err, org.StorageFull): // errors whose text is enough
		return nil, err
	case err != nil:
		return nil, &org.Error{Kind: org.Unavailable, Message: "The storage cannot be read at the moment.", Err: err}
	}
	return api.GetReadiness200JSONResponse{Status: api.Ok}, nil
}
