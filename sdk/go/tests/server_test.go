package orgd_test

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/orgd/orgd/internal/app"
	"github.com/orgd/orgd/internal/app/apptest"
	orgd "github.com/orgd/orgd/sdk/go"
)

// counting counts the logins that go through it.
type counting struct{ logins atomic.Int32 }

func (c *counting) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Path == "/admin/login" {
		c.logins.Add(1)
	}
	return http.DefaultTransport.RoundTrip(req)
}

// admin creates an organization on a server and returns a client of its admin.
func admin(t testing.TB, url string, o orgd.NewOrganization, opts ...orgd.Option) *orgd.Client {
	t.Helper()
	c := dial(t, url, append([]orgd.Option{orgd.WithLogin(o.Email, o.Password)}, opts...)...)
	if _, err := c.CreateOrganization(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLifeOfAnOrganization(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme)
	anonymous := dial(t, s.URL)
	for what, err := range map[string]error{"live": anonymous.Live(t.Context()), "ready": anonymous.Ready(t.Context())} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	seen, err := anonymous.GetOrganization(t.Context(), " ACME  inc")
	if err != nil || seen.OrganizationName != "Acme Inc" || seen.State != orgd.StateActive || seen.AdminID != nil {
		t.Errorf("%+v, %v", seen, err)
	}
	own, err := c.GetOrganization(t.Context(), "Acme Inc")
	if err != nil || own.AdminID == nil || *own.Generation != 1 || own.ID != seen.ID {
		t.Errorf("%+v, %v", own, err)
	}
	o, err := c.UpdateOrganization(t.Context(), orgd.Update{Name: "Acme Corporation", Email: "new@acme.example", Password: "staple gun and a horse"})
	if err != nil || o.OrganizationName != "Acme Corporation" || o.Generation != 2 {
		t.Fatalf("%+v, %v", o, err)
	}
	if o, err = c.UpdateOrganization(t.Context(), orgd.Update{InPlace: true}); err != nil || o.Generation != 2 {
		t.Errorf("in place, with the new credentials: %+v, %v", o, err)
	}
	token, err := anonymous.Login(t.Context(), "new@acme.example", "staple gun and a horse")
	if err != nil || token.OrgID != o.ID || token.AdminID != o.AdminID {
		t.Fatalf("%+v, %v", token, err)
	}
	receipt, err := c.DeleteOrganization(t.Context())
	if err != nil || receipt.ID != o.ID || len(receipt.Collections) != 1 {
		t.Fatalf("%+v, %v", receipt, err)
	}
	if _, err := c.GetOrganization(t.Context(), "Acme Corporation"); !errors.Is(err, orgd.ErrNotFound) {
		t.Errorf("after its end: %v", err)
	}
	if _, err := dial(t, s.URL, orgd.WithToken(token.AccessToken)).DeleteOrganization(t.Context()); !errors.Is(err, orgd.ErrTokenRevoked) {
		t.Errorf("after its end, with its token: %v", err)
	}
	if _, err := c.DeleteOrganization(t.Context()); !errors.Is(err, orgd.ErrBadCredentials) || errors.Is(err, orgd.ErrOutcomeUnknown) {
		t.Errorf("after its end, with its password: %v", err)
	}
}

func TestErrorsOfTheServer(t *testing.T) {
	s := apptest.Start(t, "RATE_LIMIT_LOGIN=2")
	c := admin(t, s.URL, acme, orgd.WithRetries(0))
	_, name := c.CreateOrganization(t.Context(), orgd.NewOrganization{Name: "ACME inc", Email: "other@acme.example", Password: password})
	_, mail := c.CreateOrganization(t.Context(), orgd.NewOrganization{Name: "Other", Email: "ADMIN@acme.example", Password: password})
	_, form := c.CreateOrganization(t.Context(), orgd.NewOrganization{Name: "Other", Email: "nobody", Password: "short"})
	_, none := dial(t, s.URL).GetOrganization(t.Context(), "Nobody")
	_, token := dial(t, s.URL, orgd.WithToken("abc")).DeleteOrganization(t.Context())
	var limit error
	for range 5 {
		_, limit = c.Login(t.Context(), email, "not the password")
	}
	for _, x := range []struct {
		err    error
		code   orgd.Code
		status int
	}{
		{name, orgd.ErrNameTaken, 409}, {mail, orgd.ErrEmailTaken, 409}, {form, orgd.ErrMalformed, 400},
		{none, orgd.ErrNotFound, 404}, {token, orgd.ErrUnauthenticated, 401}, {limit, orgd.ErrRateLimited, 429},
	} {
		e, ok := errors.AsType[*orgd.Error](x.err)
		if !ok || !errors.Is(x.err, x.code) || e.Status != x.status || e.RequestID == "" || e.Detail == "" || errors.Is(x.err, orgd.ErrOutcomeUnknown) {
			t.Errorf("%s: %v", x.code, x.err)
		}
		if ok && !strings.Contains(s.Log(), e.RequestID) {
			t.Errorf("the log knows nothing of request %s", e.RequestID)
		}
	}
	if e, ok := errors.AsType[*orgd.Error](form); !ok || len(e.Fields) != 2 || e.Fields[0].Pointer != "#/email" || e.Fields[1].Pointer != "#/password" {
		t.Errorf("%+v", form)
	}
	if e, ok := errors.AsType[*orgd.Error](limit); !ok || e.RetryAfter <= 0 {
		t.Errorf("%+v", limit)
	}
}

// TestManyGoroutinesOneLogin: at first, and after another client has revoked
// the token of all.
func TestManyGoroutinesOneLogin(t *testing.T) {
	s := apptest.Start(t)
	// A connection that was opened and not used delays a server's stop.
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	var count counting
	c := admin(t, s.URL, acme, orgd.WithHTTPClient(&http.Client{Transport: &count}))
	all := func() {
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if o, err := c.GetOrganization(t.Context(), "Acme Inc"); err != nil || o.AdminID == nil {
					t.Errorf("%+v, %v", o, err)
				}
			})
		}
		wg.Wait()
	}
	all()
	if n := count.logins.Load(); n != 1 {
		t.Errorf("%d logins", n)
	}
	other := dial(t, s.URL, orgd.WithLogin(email, password))
	if _, err := other.UpdateOrganization(t.Context(), orgd.Update{Password: password}); err != nil {
		t.Fatal(err)
	}
	all()
	if n := count.logins.Load(); n != 2 {
		t.Errorf("%d logins", n)
	}
}

// TestServerWithAnotherSecret: its restart makes every token worthless.
func TestServerWithAnotherSecret(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme)
	if err := update(t, c); err != nil {
		t.Fatal(err)
	}
	token, err := c.Login(t.Context(), email, password)
	if err != nil {
		t.Fatal(err)
	}
	s.Stop(t)
	if err := c.Ready(t.Context()); err == nil {
		t.Error("a server that has stopped is ready")
	}
	s.Config.JWTSecret = app.NewSecret(rand.Text() + rand.Text())
	s = apptest.StartWith(t, s.Config)
	c = dial(t, s.URL, orgd.WithLogin(email, password), orgd.WithToken(token.AccessToken))
	if err := update(t, c); err != nil {
		t.Error(err)
	}
	if _, err := dial(t, s.URL, orgd.WithToken(token.AccessToken)).DeleteOrganization(t.Context()); !errors.Is(err, orgd.ErrUnauthenticated) {
		t.Errorf("the old token: %v", err)
	}
}
