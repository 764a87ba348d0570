package orgd_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	orgd "github.com/orgd/orgd/sdk/go"
)

func always(o outcome) func(int, *http.Request) (*http.Response, error) {
	return func(int, *http.Request) (*http.Response, error) { return o() }
}

// good answers a request with a token that is not dead.
func good(dead ...string) func(int, *http.Request) (*http.Response, error) {
	return func(_ int, req *http.Request) (*http.Response, error) {
		switch given := req.Header.Get("Authorization"); {
		case given == "":
			return refuse(401, orgd.ErrUnauthenticated)
		default:
			for _, d := range dead {
				if given == "Bearer "+d {
					return refuse(401, orgd.ErrTokenRevoked)
				}
			}
		}
		return done()
	}
}

func update(t testing.TB, c *orgd.Client) error {
	t.Helper()
	_, err := c.UpdateOrganization(t.Context(), orgd.Update{Name: "Acme"})
	return err
}

func TestLogsInWhenATokenIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: always(done), seconds: 600}
		c := f.client(t, orgd.WithLogin(email, password))
		if _, err := c.CreateOrganization(t.Context(), acme); err != nil {
			t.Fatal(err)
		}
		for _, wait := range []time.Duration{0, 569 * time.Second, time.Second, time.Second} {
			time.Sleep(wait)
			if err := update(t, c); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{"POST /org/create", "POST /admin/login", "PUT /org/update token-1", "PUT /org/update token-1",
			"POST /admin/login", "PUT /org/update token-2", "PUT /org/update token-2"}
		if diff := cmp.Diff(want, f.paths()); diff != "" {
			t.Errorf("30 seconds before the token runs out a new one is due: %s", diff)
		}
	})
}

func TestMarginOfAShortToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: always(done), seconds: 10}
		c := f.client(t, orgd.WithLogin(email, password))
		for _, wait := range []time.Duration{0, 8900 * time.Millisecond, 100 * time.Millisecond} {
			time.Sleep(wait)
			if err := update(t, c); err != nil {
				t.Fatal(err)
			}
		}
		if f.logins != 2 {
			t.Errorf("%d logins", f.logins)
		}
	})
}

func TestLogsInAgainOnce(t *testing.T) {
	for what, c := range map[string]struct {
		opts []orgd.Option
		dead []string
		want []string
		err  error
	}{
		"revoked": {[]orgd.Option{orgd.WithLogin(email, password)}, []string{"token-1"},
			[]string{"POST /admin/login", "PUT /org/update token-1", "POST /admin/login", "PUT /org/update token-2"}, nil},
		"revoked twice": {[]orgd.Option{orgd.WithLogin(email, password)}, []string{"token-1", "token-2"},
			[]string{"POST /admin/login", "PUT /org/update token-1", "POST /admin/login", "PUT /org/update token-2"}, orgd.ErrTokenRevoked},
		"a token to begin with": {[]orgd.Option{orgd.WithLogin(email, password), orgd.WithToken("given")}, []string{"given"},
			[]string{"PUT /org/update given", "POST /admin/login", "PUT /org/update token-1"}, nil},
		"nothing but a token": {[]orgd.Option{orgd.WithToken("given")}, []string{"given"},
			[]string{"PUT /org/update given"}, orgd.ErrTokenRevoked},
		"anonymous": {nil, nil, []string{"PUT /org/update"}, orgd.ErrUnauthenticated},
	} {
		f := &fake{answer: good(c.dead...)}
		err := update(t, f.client(t, c.opts...))
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %v", what, err)
		}
		if diff := cmp.Diff(c.want, f.paths()); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}

// TestLogsInAgainOncePerCall, however often the call is tried.
func TestLogsInAgainOncePerCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(n int, _ *http.Request) (*http.Response, error) {
			if n == 2 {
				return refuse(503, orgd.ErrUnavailable)
			}
			return refuse(401, orgd.ErrTokenRevoked)
		}}
		err := update(t, f.client(t, orgd.WithLogin(email, password)))
		if !errors.Is(err, orgd.ErrTokenRevoked) || f.logins != 2 || f.n != 3 {
			t.Errorf("%d logins, %d other requests, %v", f.logins, f.n, err)
		}
	})
}

// TestCredentialsChangeDuringALogin: its token, of the old ones, is not used.
func TestCredentialsChangeDuringALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(n int, req *http.Request) (*http.Response, error) {
			if n == 1 { // the change, which the server makes while another goroutine logs in again
				time.Sleep(time.Hour + time.Second)
			}
			return done()
		}}
		f.login = func(n int, req *http.Request) (*http.Response, error) {
			time.Sleep(time.Minute)
			return f.issue(n, req)
		}
		c := f.client(t, orgd.WithLogin(email, password))
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.UpdateOrganization(t.Context(), orgd.Update{Password: "staple gun and a horse"}); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Hour + 30*time.Second)
		if err := update(t, c); err != nil {
			t.Error(err)
		}
		wg.Wait()
		want := []string{"POST /admin/login", "PUT /org/update token-1", "POST /admin/login", "POST /admin/login", "PUT /org/update token-3"}
		if diff := cmp.Diff(want, f.paths()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestNotAgainAfterAnother401: only what orgd says of the token counts.
func TestNotAgainAfterAnother401(t *testing.T) {
	f := &fake{answer: always(page(401))}
	if err := update(t, f.client(t, orgd.WithLogin(email, password))); err == nil || f.logins != 1 {
		t.Errorf("%d logins, %v", f.logins, err)
	}
}

func TestOneLoginForAll(t *testing.T) {
	for what, dead := range map[string][]string{"at first": nil, "after revocation": {"token-1"}} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{answer: good(dead...)}
			f.login = func(n int, req *http.Request) (*http.Response, error) {
				time.Sleep(time.Second)
				return f.issue(n, req)
			}
			c := f.client(t, orgd.WithLogin(email, password))
			want := 1
			if dead != nil {
				want = 2
			}
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if err := update(t, c); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if f.logins != want {
				t.Errorf("%s: %d logins", what, f.logins)
			}
		})
	}
}

// TestOneRefusalForAll: calls that wait for a login that fails do not each try the
// password again.
func TestOneRefusalForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{login: func(int, *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return refuse(401, orgd.ErrBadCredentials)
		}}
		c := f.client(t, orgd.WithLogin(email, password))
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				err := update(t, c)
				if !errors.Is(err, orgd.ErrBadCredentials) || errors.Is(err, orgd.ErrOutcomeUnknown) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if f.logins != 1 || f.n != 0 {
			t.Errorf("%d logins, %d other requests", f.logins, f.n)
		}
	})
}

// TestTheCallThatLogsInMayGiveUp: when the call that logs in gives up, the others do not fail
// with it, nor wait longer than their contexts.
func TestTheCallThatLogsInMayGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: always(done)}
		f.login = func(n int, req *http.Request) (*http.Response, error) {
			if n == 1 {
				<-req.Context().Done()
				return nil, req.Context().Err()
			}
			return f.issue(n, req)
		}
		c := f.client(t, orgd.WithLogin(email, password))
		try := func(patience time.Duration, want error) func() {
			return func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				began := time.Now()
				if _, err := c.UpdateOrganization(ctx, orgd.Update{}); !errors.Is(err, want) || errors.Is(err, orgd.ErrOutcomeUnknown) {
					t.Errorf("patience of %s: after %s: %v", patience, time.Since(began), err)
				}
			}
		}
		var wg sync.WaitGroup
		wg.Go(try(10*time.Second, context.DeadlineExceeded))
		synctest.Wait()
		wg.Go(try(5*time.Second, context.DeadlineExceeded))
		for range 20 {
			wg.Go(try(time.Hour, nil))
		}
		wg.Wait()
		if f.logins != 2 || f.n != 20 {
			t.Errorf("%d logins, %d other requests", f.logins, f.n)
		}
	})
}

func TestNewCredentialsAreUsed(t *testing.T) {
	f := &fake{answer: good()}
	c := f.client(t, orgd.WithLogin(email, password))
	for _, u := range []orgd.Update{{Password: "staple gun and a horse"}, {Email: "new@acme.example"}, {Name: "New"}} {
		if _, err := c.UpdateOrganization(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	var logins []string
	for _, r := range f.requests {
		if r.path == "/admin/login" {
			logins = append(logins, r.body)
		}
	}
	want := []string{
		`{"email":"admin@acme.example","password":"correct horse battery"}`,
		`{"email":"admin@acme.example","password":"staple gun and a horse"}`,
		`{"email":"new@acme.example","password":"staple gun and a horse"}`,
	}
	if diff := cmp.Diff(want, logins); diff != "" {
		t.Error(diff)
	}
}

// TestOpenToAll: a refused login does not stop operations that are open to all, and is
// not repeated for each of them.
func TestOpenToAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: always(done), login: always(code(401, orgd.ErrBadCredentials))}
		c := f.client(t, orgd.WithLogin(email, password))
		for _, wait := range []time.Duration{0, time.Second, 30 * time.Second} {
			time.Sleep(wait)
			if _, err := c.GetOrganization(t.Context(), "Acme"); err != nil {
				t.Error(err)
			}
		}
		want := []string{"POST /admin/login", "GET /org/get", "GET /org/get", "POST /admin/login", "GET /org/get"}
		if diff := cmp.Diff(want, f.paths()); diff != "" {
			t.Error(diff)
		}
		f.login = always(code(423, orgd.ErrSuspended))
		time.Sleep(time.Minute)
		if _, err := c.GetOrganization(t.Context(), "Acme"); !errors.Is(err, orgd.ErrSuspended) {
			t.Errorf("suspended: %v", err)
		}
	})
}

func TestOpenToAllAfterTheTokenDied(t *testing.T) {
	f := &fake{answer: func(_ int, req *http.Request) (*http.Response, error) {
		if req.Header.Get("Authorization") != "" {
			return refuse(401, orgd.ErrTokenRevoked)
		}
		return refuse(404, orgd.ErrNotFound)
	}, login: always(code(401, orgd.ErrBadCredentials))}
	_, err := f.client(t, orgd.WithLogin(email, password), orgd.WithToken("t")).GetOrganization(t.Context(), "Acme")
	if !errors.Is(err, orgd.ErrNotFound) {
		t.Errorf("%v after %q", err, f.paths())
	}
}

// TestLoginIsTriedAgainForItself, and not once more for every try of the call.
func TestLoginIsTriedAgainForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{login: always(code(503, orgd.ErrUnavailable))}
		err := update(t, f.client(t, orgd.WithLogin(email, password)))
		if !errors.Is(err, orgd.ErrUnavailable) || errors.Is(err, orgd.ErrOutcomeUnknown) || f.logins != 4 || f.n != 0 {
			t.Errorf("%d logins, %d other requests, %v", f.logins, f.n, err)
		}
	})
}

func TestOperatorKey(t *testing.T) {
	f := &fake{answer: always(done)}
	c := f.client(t, orgd.WithOperatorKey("the-key"), orgd.WithToken("t"))
	for _, path := range []string{"/operator/orgs", "/operators", "/org/operator/x", "/org/get"} {
		get(t, c, path)
	}
	get(t, f.client(t, orgd.WithToken("t")), "/operator/orgs")
	want := []string{"GET /operator/orgs the-key", "GET /operators t", "GET /org/operator/x t", "GET /org/get t", "GET /operator/orgs"}
	if diff := cmp.Diff(want, f.paths()); diff != "" {
		t.Error(diff)
	}
}
