package auth

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// wireClaims is Claims as a token carries them. Times are whole seconds: a
// fraction, which RFC 7519 allows and we never write, is malformed. A pointer is
// nil when the claim is missing.
type wireClaims struct {
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	Subject   string `json:"sub"`
	IssuedAt  *int64 `json:"iat"`
	NotBefore *int64 `json:"nbf"`
	Expires   *int64 `json:"exp"`
	ID        string `json:"jti"`
	AdminID   string `json:"admin_id"`
	OrgID     string `json:"org_id"`
	Role      string `json:"role"`
	Cred      *int64 `json:"cred"`
}

// Validate is called by the parser, after the signature and together with its own
// checks of time, issuer and audience.
func (w wireClaims) Validate() error {
	for _, c := range []struct {
		name    string
		missing bool
	}{
		{"jti", w.ID == ""}, {"sub", w.Subject == ""}, {"iat", w.IssuedAt == nil},
		{"admin_id", w.AdminID == ""}, {"org_id", w.OrgID == ""}, {"role", w.Role == ""}, {"cred", w.Cred == nil},
	} {
		if c.missing {
			return fmt.Errorf("%w: %s", jwt.ErrTokenRequiredClaimMissing, c.name)
		}
	}
	if w.Subject != w.AdminID {
		return fmt.Errorf("%w: it is not the admin_id", jwt.ErrTokenInvalidSubject)
	}
	return nil
}

// The rest is what jwt.Claims asks for.

func (w wireClaims) GetExpirationTime() (*jwt.NumericDate, error) { return date(w.Expires), nil }
func (w wireClaims) GetIssuedAt() (*jwt.NumericDate, error)       { return date(w.IssuedAt), nil }
func (w wireClaims) GetNotBefore() (*jwt.NumericDate, error)      { return date(w.NotBefore), nil }
func (w wireClaims) GetIssuer() (string, error)                   { return w.Issuer, nil }
func (w wireClaims) GetSubject() (string, error)                  { return w.Subject, nil }
func (w wireClaims) GetAudience() (jwt.ClaimStrings, error)       { return jwt.ClaimStrings{w.Audience}, nil }

func date(unix *int64) *jwt.NumericDate {
	if unix == nil {
		return nil
	}
	return &jwt.NumericDate{Time: time.Unix(*unix, 0)}
}

func unix(t time.Time) *int64 {
	s := t.Unix()
	return &s
}
