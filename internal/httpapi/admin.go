package httpapi

import (
	"context"
	"fmt"
	"math"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/org"
)

// Login implements api.StrictServerInterface.
func (h handlers) Login(ctx context.Context, req api.LoginRequestObject) (api.LoginResponseObject, error) {
	attempt, err := h.logins.Begin(request.Of(ctx).Address, request.Of(ctx).Limited, req.Body.Email)
	if err != nil {
		return nil, h.holdback.Hold(ctx, err, request.Of(ctx).ForgetBody)
	}
	request.Of(ctx).ForgetBody()
	p, err := h.Store.Login(request.WithClient(ctx, attempt.Standing), req.Body.Email, req.Body.Password)
	attempt.End(err)
	if err != nil {
		return nil, h.holdback.Hold(ctx, err, request.Of(ctx).ForgetBody)
	}
	token, expires, err := h.Tokens.Issue(auth.Claims{AdminID: p.AdminID, OrgID: p.OrgID, Role: p.Role, Cred: p.Credential})
	if err != nil {
		return nil, &org.Error{Kind: org.Internal, Err: fmt.Errorf("issue a token: %w", err)}
	}
	admin, err := parseID("admin", p.AdminID)
	if err != nil {
		return nil, err
	}
	organization, err := parseID("organization", p.OrgID)
	if err != nil {
		return nil, err
	}
	return api.Login200JSONResponse{
		AccessToken: token, TokenType: api.Bearer,
		ExpiresAt: instant(expires), ExpiresIn: max(int32(math.Ceil(expires.Sub(h.Now()).Seconds())), 1),
		AdminID: admin, OrgID: organization,
	}, nil
}
