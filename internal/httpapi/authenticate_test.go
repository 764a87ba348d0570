package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/org"
)

func TestAuthorizationHeaders(t *testing.T) {
	s := start(t)
	foreign, err := auth.NewTokens(auth.TokensConfig{
		Algorithm: "HS256", Secret: []byte("another secret of 32 bytes or more"), TTL: time.Hour, Issuer: "orgd", Audience: "orgd",
	})
	if err != nil {
		t.Fatal(err)
	}
	forged, _, err := foreign.Issue(auth.Claims{AdminID: adminID, OrgID: orgID, Role: org.RoleOwner, Cred: 7})
	if err != nil {
		t.Fatal(err)
	}
	const (
		plain   = `Bearer realm="orgd"`
		invalid = `Bearer realm="orgd", error="invalid_token"`
	)
	for _, c := range []struct {
		what      string
		headers   []string
		challenge string // of a 401; empty means that the token is good
	}{
		{"a good one", []string{"Bearer " + s.token}, ""},
		{"in lower case", []string{"bearer " + s.token}, ""},
		{"in upper case", []string{"BEARER " + s.token}, ""},
		{"with more spaces", []string{"Bearer   " + s.token}, ""},
		{"empty", []string{""}, plain},
		{"no token", []string{"Bearer"}, invalid},
		{"no token but a space", []string{"Bearer "}, invalid},
		{"another scheme", []string{"Basic YWRtaW46c2VjcmV0"}, plain},
		{"no scheme", []string{s.token}, plain},
		{"scheme and token stuck together", []string{"Bearer" + s.token}, plain},
		{"a tab between", []string{"Bearer\t" + s.token}, plain},
		{"a comma list", []string{"Bearer " + s.token + ", Basic YWRtaW4="}, invalid},
		{"two tokens in one", []string{"Bearer " + s.token + " " + s.token}, invalid},
		{"two headers", []string{"Bearer " + s.token, "Bearer " + s.token}, invalid},
		{"quoted", []string{`Bearer "` + s.token + `"`}, invalid},
		{"only padding", []string{"Bearer ==="}, invalid},
		{"padded", []string{"Bearer " + s.token + "="}, invalid},
		{"letters outside ASCII", []string{"Bearer tökén"}, invalid},
		{"nonsense", []string{"Bearer x"}, invalid},
		{"too long", []string{"Bearer " + strings.Repeat("a", 4097)}, invalid},
		{"of another service", []string{"Bearer " + forged}, invalid},
		{"without a signature", []string{"Bearer " + s.token[:strings.LastIndexByte(s.token, '.')+1]}, invalid},
		{"alg none", []string{"Bearer eyJhbGciOiJub25lIn0." + strings.Split(s.token, ".")[1] + "."}, invalid},
	} {
		for _, op := range []string{"PUT /org/update", "DELETE /org/delete", "GET /org/get?organization_name=Acme"} {
			t.Run(c.what+" "+op, func(t *testing.T) {
				s.t = t
				method, path, _ := strings.Cut(op, " ")
				body := map[string]string{"PUT": "{}"}[method]
				req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header["Authorization"] = c.headers
				if body != "" {
					req.Header.Set("Content-Type", "application/json")
				}
				got := s.send(req)
				calls := s.store.took()
				if c.challenge == "" {
					if got.status != 200 || !strings.HasPrefix(calls, "authenticate ") {
						t.Errorf("%d after %q", got.status, calls)
					}
					return
				}
				if got.status != 401 || got.code() != "unauthenticated" || calls != "" {
					t.Errorf("%d after %q: %s", got.status, calls, got.body)
				}
				if got.header.Get("Www-Authenticate") != c.challenge {
					t.Errorf("challenge is %q, want %q", got.header.Get("Www-Authenticate"), c.challenge)
				}
			})
		}
	}
}

func TestWithoutAuthorization(t *testing.T) {
	s := start(t)
	got := s.do("DELETE", "/org/delete", "")
	if got.status != 401 || got.header.Get("Www-Authenticate") != `Bearer realm="orgd"` {
		t.Errorf("required: %d, challenge %q", got.status, got.header.Get("Www-Authenticate"))
	}
	if got := s.do("GET", "/org/get?organization_name=Acme", ""); got.status != 200 {
		t.Errorf("optional: %d", got.status)
	}
	// A stale header must not stand in the way of logging in again.
	if got := s.do("POST", "/admin/login", login, "Authorization: Bearer rubbish"); got.status != 200 {
		t.Errorf("public: %d", got.status)
	}
}

func TestTheStoreIsAskedEveryTime(t *testing.T) {
	refuse := errors.New("")
	s := start(t, func(_ *Config, st *script) {
		st.authenticate = func(_ context.Context, p org.Principal) (org.Organization, error) {
			if p != owner {
				t.Errorf("asked of %+v", p)
			}
			return acme, refuse
		}
	})
	for _, c := range []struct {
		err    error
		status int
	}{
		{nil, 200},
		{&org.Error{Kind: org.TokenRevoked}, 401},
		{nil, 200},
		{&org.Error{Kind: org.Suspended}, 423},
		{&org.Error{Kind: org.Unavailable}, 503},
		{errors.New("broken"), 500},
		{nil, 200},
	} {
		refuse = c.err
		for _, path := range []string{"PUT /org/update", "GET /org/get?organization_name=Acme"} {
			method, path, _ := strings.Cut(path, " ")
			got := s.do(method, path, map[string]string{"PUT": "{}"}[method], s.bearer())
			if got.status != c.status {
				t.Errorf("%s after %v: %d, want %d", path, c.err, got.status, c.status)
			}
			calls := s.store.took()
			if served := strings.Contains(calls, " "); served != (c.err == nil) {
				t.Errorf("%s after %v: calls %q", path, c.err, calls)
			}
		}
	}
}

func TestAHandlerWithoutAPrincipalDoesNothing(t *testing.T) {
	st := &script{}
	api, err := New(Config{Store: st, Tokens: testTokens(t), Logger: discardLog})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (handlers{api}).DeleteOrganization(context.Background(), deleteRequest); !errors.Is(err, org.Internal) || st.took() != "" {
		t.Errorf("delete: %v", err)
	}
	if _, err := (handlers{api}).UpdateOrganization(context.Background(), updateRequest); !errors.Is(err, org.Internal) || st.took() != "" {
		t.Errorf("update: %v", err)
	}
}

// Where the handler authenticates with what it reads, a refusal is still that of the
// token before any other.
func TestADocumentIsForItsBearerOnly(t *testing.T) {
	var refuse error
	s := start(t, func(_ *Config, st *script) {
		st.authenticate = func(context.Context, org.Principal) (org.Organization, error) { return acme, refuse }
	})
	for _, c := range []struct {
		err           error
		found, broken int
	}{
		{nil, 404, 400},
		{&org.Error{Kind: org.TokenRevoked}, 401, 401},
		{&org.Error{Kind: org.Suspended}, 423, 423},
		{&org.Error{Kind: org.Unavailable}, 503, 503},
	} {
		refuse = c.err
		if got := s.do("GET", "/org/documents/nothing", "", s.bearer()); got.status != c.found {
			t.Errorf("after %v: %d, want %d", c.err, got.status, c.found)
		}
		if got := s.do("GET", "/org/documents/nothing?no=such", "", s.bearer()); got.status != c.broken {
			t.Errorf("a bad request after %v: %d, want %d", c.err, got.status, c.broken)
		}
	}
}
