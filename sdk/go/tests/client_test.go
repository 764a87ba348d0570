package orgd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	orgd "github.com/orgd/orgd/sdk/go"
)

// get requests a path that the contract does not have yet, as a generated method of a
// later contract would.
func get(t testing.TB, c *orgd.Client, path string) {
	t.Helper()
	resp, err := c.API().GetLiveness(t.Context(), func(_ context.Context, req *http.Request) error {
		req.URL.Path = path
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

func TestNewRefuses(t *testing.T) {
	const planted = "hunter2-secret"
	for _, url := range []string{"", "orgd.example", "ftp://orgd.example", "http://", "http://:80", "https://user:" + planted + "@orgd.example",
		"http://u:" + planted + "@or gd", "http://orgd.example?" + planted, "http://orgd.example#" + planted, "http://orgd.example/%zz" + planted} {
		if _, err := orgd.New(url); err == nil || strings.Contains(err.Error(), planted) {
			t.Errorf("%q: %v", url, err)
		}
	}
	for what, opt := range map[string]orgd.Option{
		"no e-mail": orgd.WithLogin("", planted), "no password": orgd.WithLogin(email, ""),
		"no token": orgd.WithToken(""), "two lines": orgd.WithToken(planted + "\r\nX: y"), "key": orgd.WithOperatorKey(planted + " ü"),
		"no client": orgd.WithHTTPClient(nil), "agent": orgd.WithUserAgent("a\nb"), "few": orgd.WithRetries(-1), "many": orgd.WithRetries(101),
	} {
		if _, err := orgd.New("http://orgd.example", opt); err == nil || strings.Contains(err.Error(), planted) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestBaseURLWithAPath(t *testing.T) {
	for _, base := range []string{"http://orgd.test/a%20b/orgd", "http://orgd.test/a%20b/orgd/"} {
		f := &fake{answer: always(done)}
		c := dial(t, base, orgd.WithHTTPClient(&http.Client{Transport: f}), orgd.WithToken("t"))
		if _, err := c.CreateOrganization(t.Context(), acme); err != nil {
			t.Error(err)
		}
		if _, err := c.GetOrganization(t.Context(), "Acme"); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"POST /a b/orgd/org/create", "GET /a b/orgd/org/get t"}, f.paths()); diff != "" {
			t.Errorf("%s: %s", base, diff)
		}
	}
}

// TestAnotherServerGetsNothing: an editor that turns a request elsewhere.
func TestAnotherServerGetsNothing(t *testing.T) {
	f := &fake{answer: always(done)}
	c := f.client(t, orgd.WithToken("planted"))
	for what, turn := range map[string]func(*http.Request){
		"host":   func(r *http.Request) { r.URL.Host = "evil.test" },
		"port":   func(r *http.Request) { r.URL.Host = "orgd.test:81" },
		"scheme": func(r *http.Request) { r.URL.Scheme = "https" },
	} {
		_, err := c.API().DeleteOrganization(t.Context(), nil, func(_ context.Context, req *http.Request) error { turn(req); return nil })
		if err == nil || strings.Contains(err.Error(), "planted") || len(f.requests) > 0 {
			t.Errorf("%s: %v, %q", what, err, f.paths())
		}
	}
}

// TestRedirectsAreNotFollowed, whatever they lead to: with 307 and 308 net/http
// would send a login's body again, and it sends the token to another port.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var strays atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strays.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{other.URL + "/x?token=planted", "/same", ""} {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/same" {
					strays.Add(1)
				}
				if to != "" {
					w.Header().Set("Location", to)
				}
				w.WriteHeader(status)
			}))
			c := dial(t, s.URL, orgd.WithHTTPClient(http.DefaultClient), orgd.WithToken("planted-token"))
			_, login := c.Login(t.Context(), email, "planted-password")
			_, update := c.UpdateOrganization(t.Context(), orgd.Update{Password: "planted-password"})
			_, get := c.GetOrganization(t.Context(), "Acme")
			for _, err := range []error{login, update, get} {
				e, ok := errors.AsType[*orgd.Error](err)
				if !ok || e.Status != status || strings.Contains(err.Error(), "planted") || !strings.Contains(err.Error(), "redirect") ||
					to != "" && !strings.Contains(err.Error(), strings.TrimSuffix(to, "?token=planted")) {
					t.Errorf("%d to %q: %v", status, to, err)
				}
			}
			s.Close()
		}
	}
	if n := strays.Load(); n > 0 {
		t.Errorf("%d requests were sent on", n)
	}
	if http.DefaultClient.CheckRedirect != nil {
		t.Error("the caller's http.Client was changed")
	}
}

// TestNetHTTPDoesNotRepeatAPost: on a connection that was used before, net/http on its
// own repeats requests that have an Idempotency-Key.
func TestNetHTTPDoesNotRepeatAPost(t *testing.T) {
	var posts atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"status":"ok"}`)
			return
		}
		if r.Header.Get("Idempotency-Key") == "" {
			t.Error("there is no Idempotency-Key")
		}
		posts.Add(1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	}))
	defer s.Close()
	c := dial(t, s.URL, orgd.WithRetries(0))
	if err := c.Live(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := c.CreateOrganization(t.Context(), acme)
	if n := posts.Load(); n != 1 || !errors.Is(err, orgd.ErrOutcomeUnknown) {
		t.Errorf("%d requests: %v", n, err)
	}
}

func TestUserAgent(t *testing.T) {
	f := &fake{answer: always(done)}
	get(t, f.client(t), "/livez")
	get(t, f.client(t, orgd.WithUserAgent("billing/1.4 (linux)")), "/livez")
	for i, want := range []string{"orgd-go/", "billing/1.4 (linux) orgd-go/"} {
		if got := f.requests[i].header.Get("User-Agent"); !strings.HasPrefix(got, want) {
			t.Errorf("User-Agent is %q", got)
		}
	}
}

func TestOwnAuthorizationIsKept(t *testing.T) {
	f := &fake{answer: always(code(401, orgd.ErrUnauthenticated))}
	_, err := f.client(t, orgd.WithLogin(email, password)).API().DeleteOrganization(t.Context(), nil, func(_ context.Context, req *http.Request) error {
		req.Header.Set("Authorization", "Bearer own")
		return nil
	})
	if diff := cmp.Diff([]string{"DELETE /org/delete own"}, f.paths()); diff != "" || !errors.Is(err, orgd.ErrUnauthenticated) {
		t.Errorf("%v: %s", err, diff)
	}
}

func TestWith(t *testing.T) {
	f := &fake{answer: always(done)}
	anonymous := f.client(t)
	admin, err := anonymous.With(orgd.WithLogin(email, password))
	if err != nil {
		t.Fatal(err)
	}
	same, err := admin.With(orgd.WithRetries(0))
	if err != nil {
		t.Fatal(err)
	}
	other, err := admin.With(orgd.WithToken("other"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*orgd.Client{admin, same, other, anonymous, admin} {
		if err := update(t, c); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"POST /admin/login", "PUT /org/update token-1", "PUT /org/update token-1", "PUT /org/update other",
		"PUT /org/update", "PUT /org/update token-1"}
	if diff := cmp.Diff(want, f.paths()); diff != "" {
		t.Error(diff)
	}
	if _, err := admin.With(orgd.WithRetries(-1)); err == nil {
		t.Error("a bad option is taken")
	}
}

// TestAPIFailsAsTheClientDoes: the generated methods, also those that parse.
func TestAPIFailsAsTheClientDoes(t *testing.T) {
	f := &fake{answer: always(code(409, orgd.ErrNameTaken))}
	_, err := f.client(t, orgd.WithToken("t")).API().DeleteOrganizationWithResponse(t.Context(), nil)
	if e, ok := errors.AsType[*orgd.Error](err); !ok || e.Code != orgd.ErrNameTaken {
		t.Error(err)
	}
	f = &fake{answer: always(func() (*http.Response, error) { return reply(200, `{"id":"019aaf2e-53c4-7d51-a2a7-0f0d1e9b3c55"}`) })}
	result, err := f.client(t, orgd.WithToken("t")).API().DeleteOrganizationWithResponse(t.Context(), nil)
	if err != nil || fmt.Sprint(result.JSON200.ID) != "019aaf2e-53c4-7d51-a2a7-0f0d1e9b3c55" {
		t.Errorf("%+v, %v", result, err)
	}
}
