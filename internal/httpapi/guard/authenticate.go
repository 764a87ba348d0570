package guard

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/policy"
)

// MaxTokenLength is maxLength of the contract's Token.access_token.
const MaxTokenLength = 4096

// authenticate is the one choke point: every request that the contract asks a credential for
// passes here. That a token was issued here may be remembered, but not that it is still good. A
// joint endpoint gets no principal, so its handler gets at data only through the documents of
// the bearer, of which every call authenticates the bearer.
func (g *Guard) authenticate(e *contract.Endpoint, ec echo.Context) error {
	switch e.Credential {
	case policy.NoCredential:
		stateOf(ec).Active()
		return nil
	case policy.OperatorKey:
		return g.authenticateOperator(ec)
	}
	s := stateOf(ec)
	token, given, err := bearerToken(ec.Request().Header)
	s.Token = given
	switch {
	case err != nil:
		return err
	case !given && e.Credential == policy.OptionalToken:
		s.Active()
		return nil
	case !given:
		return org.Errorf(org.Unauthenticated, "There is no token. Log in and send it as Authorization: Bearer <access_token>.")
	}
	claims, err := g.Verify(token)
	if err != nil {
		return asUnauthenticated(err)
	}
	p := org.Principal{AdminID: claims.AdminID, OrgID: claims.OrgID, Role: claims.Role, Credential: claims.Cred}
	s.Bearer = &p
	s.Become(p.OrgID)
	if e.Joint && g.Requests == nil { // a bearer has to be admitted before its requests are counted
		return nil
	}
	return g.admit(ec)
}

// admit makes the bearer of a token, if there is one, the request's principal.
func (g *Guard) admit(ec echo.Context) error {
	s := stateOf(ec)
	p := s.Bearer
	if p == nil {
		return nil
	}
	var err error
	if ctx := ec.Request().Context(); s.Endpoint.Watches() {
		_, err = g.Store.AuthenticateWatcher(ctx, *p)
	} else {
		s.Admission, err = g.Store.Admit(ctx, *p)
	}
	if err == nil {
		s.Principal, s.Bearer = p, nil
	}
	return err
}

// asUnauthenticated makes sure that a token that was not verified is never taken for a fault of
// the server.
func asUnauthenticated(err error) error {
	var known *org.Error
	if errors.As(err, &known) {
		return err
	}
	return &org.Error{Kind: org.Unauthenticated, Message: "The token is not valid. Log in again.", Err: err}
}

// bearerToken takes the token out of the Authorization header (RFC 6750, 2.1).
// A header without a usable token is an error, not an absent credential:
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
	if len(s) > MaxTokenLength {
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
