package httpapi

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

func TestLogin(t *testing.T) {
	s := start(t)
	const spaced = " päss word "
	if _, err := s.store.Update(t.Context(), s.store.principal(email, password), tenant.UpdateInput{Password: new(spaced)}); err != nil {
		t.Fatal(err)
	}
	owner := s.store.principal(email, spaced)
	if got := s.do("POST", "/admin/login", `{"email":"Admin@Acme.example","password":"p\u00e4ss word"}`); got.status != 401 {
		t.Errorf("without the spaces: %d", got.status)
	}
	got := s.do("POST", "/admin/login", `{"email":"Admin@Acme.example","password":" p\u00e4ss word "}`)
	if got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if cache := got.header["Cache-Control"]; len(cache) != 1 || cache[0] != "no-store" {
		t.Errorf("Cache-Control is %q", cache)
	}
	var token api.Token
	if err := json.Unmarshal([]byte(got.body), &token); err != nil {
		t.Fatal(err)
	}
	if token.TokenType != "Bearer" || token.ExpiresIn != 3600 || token.AdminID.String() != s.store.acme.AdminID || token.OrgID.String() != s.store.acme.ID {
		t.Errorf("answer is %s", got.body)
	}
	if left := time.Until(token.ExpiresAt); left > time.Hour || left < time.Hour-5*time.Second {
		t.Errorf("expires in %v", left)
	}
	claims, err := s.api.Tokens.Verify(token.AccessToken)
	if err != nil || claims.AdminID != s.store.acme.AdminID || claims.OrgID != s.store.acme.ID || claims.Role != org.RoleOwner || claims.Cred != owner.Credential {
		t.Errorf("claims are %+v, %v", claims, err)
	}
	if got := s.do("DELETE", "/org/delete", "", "Authorization: Bearer "+token.AccessToken); got.status != 200 {
		t.Errorf("the token is not taken: %d", got.status)
	}
	if _, err := s.store.Organization(t.Context(), s.store.acme.ID); !errors.Is(err, org.NotFound) {
		t.Errorf("the organization is still there: %v", err)
	}
}
