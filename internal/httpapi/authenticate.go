package httpapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/policy"
)

// maxTokenLength is maxLength of the contract's Token.access_token.
const maxTokenLength = 4096

// authenticate is the one choke point: whatever the contract asks a credential
// for passes here on every request. That a token was issued here may be remembered, but
// not that it is still good. A joint operation gets no principal, and so to nobody's data
// but through documents, whose every call authenticates the bearer.
func (a *API) authenticate(op *operation, ec echo.Context) error {
	switch op.Credential {
	case policy.NoCredential:
		callOf(ec).work.Active()
		return nil
	case policy.OperatorKey:
		return a.authenticateOperator(ec)
	}
	c := callOf(ec)
	token, given, err := bearerToken(ec.Request().Header)
	c.token = given
	switch {
	case err != nil:
		return err
	case !given && op.Credential == policy.OptionalToken:
		c.work.Active()
		return nil
	case !given:
		return org.Errorf(org.Unauthenticated, "There is no token. Log in and send it as Authorization: Bearer <access_token>.")
	}
	claims, err := a.Tokens.Verify(token)
	if err != nil {
		return asUnauthenticated(err)
	}
	p := org.Principal{AdminID: claims.AdminID, OrgID: claims.OrgID, Role: claims.Role, Credential: claims.Cred}
	c.bearer = &p
	c.become(p.OrgID)
	if op.Joint && a.requests == nil { // who is counted for a request is authenticated before
		return nil
	}
	return a.admit(ec)
}

// admit makes the bearer of a token, if there is one, the request's principal.
func (a *API) admit(ec echo.Context) error {
	c := callOf(ec)
	p := c.bearer
	if p == nil {
		return nil
	}
	check := a.Store.Authenticate
	if c.op.watches() {
		check = a.Store.AuthenticateWatcher
	}
	if _, err := check(ec.Request().Context(), *p); err != nil {
		return err
	}
	c.principal, c.bearer = p, nil
	return nil
}

// asUnauthenticated makes sure that a token that was not verified is never
// taken for a fault of the server.
func asUnauthenticated(err error) error {
	var known *org.Error
	if errors.As(err, &known) {
		return err
	}
	return &org.Error{Kind: org.Unauthenticated, Message: "The token is not valid. Log in again.", Err: err}
}

// bearerToken takes the token out of the Authorization header (RFC 6750, 2.1).
// The header without a usable token is an error, not an absent credential:
// a client that believes itself authenticated must learn that it is not.
func bearerToken(h http.Header) (token string, given bool, err error) {
	values := h["Authorization"]
	if len(values) == 0 {
		return "", false, nil
	}
	if len(values) > 1 {
		return "", true, org.Errorf(org.Unauthenticated, "There is more than one Authorization header.")
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false, org.Errorf(org.Unauthenticated, "Send a token as Authorization: Bearer <access_token>.")
	}
	token = strings.TrimLeft(rest, " ")
	if !isToken68(token) {
		return "", true, org.Errorf(org.Unauthenticated, "The token is not well-formed. Log in again.")
	}
	return token, true, nil
}

// isToken68 is RFC 9110, 11.2: letters, digits and -._~+/, then any number of =.
func isToken68(s string) bool {
	if len(s) > maxTokenLength {
		return false
	}
	s = strings.TrimRight(s, "=")
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
