package httpapi

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/org"
)

func TestLogin(t *testing.T) {
	var email, password string
	s := start(t, func(_ *Config, st *script) {
		st.login = func(_ context.Context, e, p string) (org.Principal, error) {
			email, password = e, p
			return owner, nil
		}
	})
	got := s.do("POST", "/admin/login", `{"email":"Admin@Acme.example","password":" p\u00e4ss "}`)
	if got.status != 200 || email != "Admin@Acme.example" || password != " päss " {
		t.Fatalf("%d, logged in as %q with %q", got.status, email, password)
	}
	if cache := got.header["Cache-Control"]; len(cache) != 1 || cache[0] != "no-store" {
		t.Errorf("Cache-Control is %q", cache)
	}
	var token api.Token
	if err := json.Unmarshal([]byte(got.body), &token); err != nil {
		t.Fatal(err)
	}
	if token.TokenType != "Bearer" || token.ExpiresIn != 3600 || token.AdminID.String() != adminID || token.OrgID.String() != orgID {
		t.Errorf("answer is %s", got.body)
	}
	if left := time.Until(token.ExpiresAt); left > time.Hour || left < time.Hour-5*time.Second {
		t.Errorf("expires in %v", left)
	}
	claims, err := s.api.Tokens.Verify(token.AccessToken)
	if err != nil || claims.AdminID != adminID || claims.OrgID != orgID || claims.Role != org.RoleOwner || claims.Cred != 7 {
		t.Errorf("claims are %+v, %v", claims, err)
	}
	s.store.took()
	if got := s.do("DELETE", "/org/delete", "", "Authorization: Bearer "+token.AccessToken); got.status != 200 || s.store.took() != "authenticate delete" {
		t.Errorf("the token is not taken: %d", got.status)
	}
}
