package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

func TestAuthorizationHeaders(t *testing.T) {
	s := start(t)
	foreign, err := auth.NewTokens(auth.TokensConfig{
		Algorithm: "HS256", Secret: []byte("another secret of 32 bytes or more"), TTL: time.Hour, Issuer: "orgd", Audience: "orgd",
	})
	if err != nil {
		t.Fatal(err)
	}
	owner := s.store.principal(email, password)
	forged, _, err := foreign.Issue(auth.Claims{AdminID: owner.AdminID, OrgID: owner.OrgID, Role: owner.Role, Cred: owner.Credential})
	if err != nil {
		t.Fatal(err)
	}
	const (
		plain   = `Bearer realm="orgd"`
		invalid = `Bearer realm="orgd", error="invalid_token"`
	)
	for _, c := range []struct {
		what      string
		headers   []string // TOKEN stands for a good one
		challenge string   // of a 401; empty means that the token is good
	}{
		{"a good one", []string{"Bearer TOKEN"}, ""},
		{"in lower case", []string{"bearer TOKEN"}, ""},
		{"in upper case", []string{"BEARER TOKEN"}, ""},
		{"with more spaces", []string{"Bearer   TOKEN"}, ""},
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
				s := s
				if s.t = t; c.challenge == "" { // what is served changes the organization
					s = start(t)
				}
				s.store.asked()
				method, path, _ := strings.Cut(op, " ")
				body := map[string]string{"PUT": "{}"}[method]
				req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				for _, h := range c.headers {
					req.Header.Add("Authorization", strings.Replace(h, "TOKEN", s.token, 1))
				}
				if body != "" {
					req.Header.Set("Content-Type", "application/json")
				}
				got := s.send(req)
				asked := s.store.asked()
				if c.challenge == "" {
					if got.status != 200 || !strings.HasPrefix(asked, authentication+", ") {
						t.Errorf("%d after %q", got.status, asked)
					}
					return
				}
				if got.status != 401 || got.code() != "unauthenticated" || asked != "" {
					t.Errorf("%d after %q: %s", got.status, asked, got.body)
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

// A turn is what happens to a bearer between two requests, and the status of the next.
type turn struct {
	what   string
	happen func()
	status int // 200: the bearer is let in
}

// turns are everything that makes a token no longer good, and good again.
func (s *server) turns() []turn {
	b, now := s.store, password
	changePassword := func() {
		was := now
		now += "!"
		b.must(b.Update(s.t.Context(), b.principal(email, was), tenant.UpdateInput{Password: &now}))
	}
	return []turn{
		{"nothing", func() {}, 200},
		{"a new password", changePassword, 401},
		{"a new login", func() { s.become(email, now) }, 200},
		{"a suspension", func() { b.must(b.SuspendOrganization(s.t.Context(), b.acme.ID)) }, 423},
		{"its end", func() { b.must(b.ResumeOrganization(s.t.Context(), b.acme.ID)) }, 200},
		{"no answer of the storage", func() { b.answers("Get", "organizations", docdb.ErrUnavailable) }, 503},
		{"none of what it says of the admin", func() { b.answers("Get", "admins", docdb.ErrUnavailable) }, 503},
		{"an answer that nobody knows", func() { b.answers("Get", "organizations", errors.New("broken")) }, 500},
		{"a good answer", func() { b.faulty.On(nil) }, 200},
	}
}

func TestTheStoreIsAskedEveryTime(t *testing.T) {
	s := start(t)
	for _, turn := range s.turns() {
		turn.happen()
		for _, path := range []string{"PUT /org/update", "GET /org/get?organization_name=Acme"} {
			method, path, _ := strings.Cut(path, " ")
			s.store.asked()
			got := s.do(method, path, map[string]string{"PUT": "{}"}[method], s.bearer())
			if got.status != turn.status {
				t.Errorf("%s after %s: %d, want %d", path, turn.what, got.status, turn.status)
			}
			asked := s.store.asked()
			if served := strings.HasPrefix(asked, authentication+", "); served != (turn.status == 200) {
				t.Errorf("%s after %s: %s", path, turn.what, asked)
			}
			if turn.status != 200 && (asked == "" || !strings.HasPrefix(authentication, asked)) {
				t.Errorf("%s after %s: refused, and it asked %s", path, turn.what, asked)
			}
		}
	}
	if got := s.store.stored(s.store.acme.ID).Generation; got != 1+4 {
		t.Errorf("four updates were let in, and the generation is %d", got)
	}
}

func TestAHandlerWithoutAPrincipalDoesNothing(t *testing.T) {
	s := start(t)
	if _, err := (handlers{s.api}).DeleteOrganization(t.Context(), deleteRequest); !errors.Is(err, org.Internal) || s.store.asked() != "" {
		t.Errorf("delete: %v", err)
	}
	if _, err := (handlers{s.api}).UpdateOrganization(t.Context(), updateRequest); !errors.Is(err, org.Internal) || s.store.asked() != "" {
		t.Errorf("update: %v", err)
	}
}

// Where the handler authenticates with what it reads, a refusal is still that of the
// token before any other.
func TestADocumentIsForItsBearerOnly(t *testing.T) {
	s := start(t)
	for _, turn := range s.turns() {
		turn.happen()
		found, broken := turn.status, turn.status
		if turn.status == 200 {
			found, broken = 404, 400
		}
		s.store.asked()
		if got := s.do("GET", "/org/documents/nothing", "", s.bearer()); got.status != found {
			t.Errorf("after %s: %d, want %d", turn.what, got.status, found)
		}
		asked, whole := s.store.asked(), authentication+", Get org_acme"
		if (asked == whole) != (turn.status == 200) || !strings.HasPrefix(whole, asked) {
			t.Errorf("after %s it asked %s", turn.what, asked)
		}
		if got := s.do("GET", "/org/documents/nothing?no=such", "", s.bearer()); got.status != broken {
			t.Errorf("a bad request after %s: %d, want %d", turn.what, got.status, broken)
		}
	}
}
