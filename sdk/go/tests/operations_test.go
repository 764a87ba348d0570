package orgd_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd/internal/app/apptest"
	orgd "github.com/orgd/orgd/sdk/go"
)

func TestUpdateInTheBackground(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme, checked(t))
	ctx := t.Context()
	fill(t, c, 100)
	for _, u := range []orgd.Update{
		{Name: "Acme Corporation"}, {Email: "new@acme.example", Password: "staple gun and a horse"}, {InPlace: true, Name: "Acme"},
	} {
		op, err := c.UpdateOrganizationAsync(ctx, u)
		if err != nil || op.Kind != orgd.OperationKindUpdate {
			t.Fatalf("%+v, %v", op, err)
		}
		calls := 0
		over, err := c.WaitOperation(ctx, *op, func(now orgd.Operation) {
			if calls++; now.ID != op.ID {
				t.Errorf("progress of %s", now.ID)
			}
		})
		if err != nil || over.State != orgd.OperationStateSucceeded || over.FinishedAt == nil || calls == 0 {
			t.Errorf("%+v, %v, %d calls", over, err, calls)
		}
		if got, err := c.GetOperation(ctx, op.ID); err != nil || cmp.Diff(over, got) != "" {
			t.Errorf("%+v, %v", got, err)
		}
	}
	var kinds []string
	for op, err := range c.Operations(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, string(op.Kind))
	}
	if diff := cmp.Diff([]string{"update", "update", "update", "create"}, kinds); diff != "" {
		t.Error(diff)
	}
	if _, err := c.Login(ctx, "new@acme.example", "staple gun and a horse"); err != nil {
		t.Error(err)
	}
	other := orgd.NewOrganization{Name: "Globex", Email: "a@globex.example", Password: password}
	if _, err := c.CreateOrganization(ctx, other); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateOrganizationAsync(ctx, orgd.Update{Name: "Globex", Password: "not in force"}); !errors.Is(err, orgd.ErrNameTaken) {
		t.Error(err)
	}
	if err := update(t, c); err != nil {
		t.Error(err)
	}
}

func TestDeleteInTheBackground(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme, checked(t))
	fill(t, c, 100)
	op, receipt, err := c.DeleteOrganizationAsync(t.Context())
	if err != nil || receipt != nil || op.Kind != orgd.OperationKindDelete {
		t.Fatalf("%+v, %+v, %v", op, receipt, err)
	}
	over, err := c.WaitOperation(t.Context(), *op, nil)
	if err != nil || over.State != orgd.OperationStateSucceeded {
		t.Errorf("%+v, %v", over, err)
	}
	if _, err := c.GetOrganization(t.Context(), "Acme Inc"); !errors.Is(err, orgd.ErrNotFound) {
		t.Error(err)
	}
}

func operation(kind, state, more string) string {
	return fmt.Sprintf(`{"id":"019aaf2e-53c4-7d51-a2a7-5c5d6e6f7071","kind":%q,"state":%q,"step":"copy","documents_copied":1,`+
		`"documents_total":2,"bytes_copied":3,"started_at":"2026-11-23T12:00:00.000Z","updated_at":"2026-11-23T12:00:00.000Z"%s}`, kind, state, more)
}

// TestPausesOfAWait grow to a second, or to what the server asks for.
func TestPausesOfAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		began := time.Now()
		f := &fake{answer: func(n int, _ *http.Request) (*http.Response, error) {
			at = append(at, time.Since(began))
			switch n {
			case 8:
				return reply(200, operation("update", "succeeded", ""))
			case 7:
				return reply(200, operation("update", "running", ""), "Retry-After", "3")
			}
			return reply(200, operation("update", "running", ""))
		}}
		calls := 0
		op, err := f.client(t, orgd.WithToken("t")).WaitOperation(t.Context(), orgd.Operation{}, func(orgd.Operation) { calls++ })
		if err != nil || op.State != orgd.OperationStateSucceeded || calls != 8 {
			t.Errorf("%+v, %v, %d calls", op, err, calls)
		}
		const ms = time.Millisecond
		want := []time.Duration{0, 100 * ms, 300 * ms, 700 * ms, 1500 * ms, 2500 * ms, 3500 * ms, 6500 * ms}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAnOperationThatFails(t *testing.T) {
	f := &fake{answer: always(func() (*http.Response, error) {
		return reply(200, operation("update", "failed", `,"error":{"code":"name_taken","detail":"Choose another."}`))
	})}
	c := f.client(t, orgd.WithToken("t"))
	_, err := c.WaitOperation(t.Context(), orgd.Operation{}, nil)
	failed, ok := errors.AsType[*orgd.OperationError](err)
	if !ok || !errors.Is(err, orgd.ErrNameTaken) || errors.Is(err, orgd.ErrOutcomeUnknown) || failed.Operation.Step != "copy" ||
		err.Error() != "orgd: the update failed: name_taken: Choose another." {
		t.Error(err)
	}
	f.answer = always(func() (*http.Response, error) { return reply(200, operation("update", "failed", "")) })
	if _, err := c.WaitOperation(t.Context(), orgd.Operation{}, nil); !errors.Is(err, orgd.ErrInternal) {
		t.Error(err)
	}
}

// TestTheEndOfADeletion is that the token is refused; anything else is an error.
func TestTheEndOfADeletion(t *testing.T) {
	bad := func(int, *http.Request) (*http.Response, error) { return refuse(401, orgd.ErrBadCredentials) }
	login := []orgd.Option{orgd.WithLogin(email, password), orgd.WithToken("t")}
	token := []orgd.Option{orgd.WithToken("t")}
	for _, x := range []struct {
		what, kind string
		options    []orgd.Option
		end        outcome
		want       error
	}{
		{"revoked", "delete", token, code(401, orgd.ErrTokenRevoked), nil},
		{"revoked, login refused", "delete", login, code(401, orgd.ErrTokenRevoked), nil},
		{"not there for a new organization", "delete", token, code(404, orgd.ErrNotFound), nil},
		{"run out", "delete", token, code(401, orgd.ErrUnauthenticated), orgd.ErrUnauthenticated},
		{"run out, login refused", "delete", login, code(401, orgd.ErrUnauthenticated), orgd.ErrBadCredentials},
		{"suspended", "delete", token, code(423, orgd.ErrSuspended), orgd.ErrSuspended},
		{"not a deletion", "update", token, code(401, orgd.ErrTokenRevoked), orgd.ErrTokenRevoked},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{login: bad, answer: func(n int, _ *http.Request) (*http.Response, error) {
				if n < 3 {
					return reply(200, operation(x.kind, "running", ""))
				}
				return x.end()
			}}
			op, err := f.client(t, x.options...).WaitOperation(t.Context(), orgd.Operation{}, nil)
			if !errors.Is(err, x.want) || err == nil && op.State != orgd.OperationStateSucceeded {
				t.Errorf("%s: %+v, %v", x.what, op, err)
			}
		})
	}
}

func TestAWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: always(func() (*http.Response, error) { return reply(200, operation("update", "running", "")) })}
		ctx, cancel := context.WithTimeout(t.Context(), 5500*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := f.client(t, orgd.WithToken("t")).WaitOperation(ctx, orgd.Operation{}, nil)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 5500*time.Millisecond {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// TestCredentialsThatMayHaveChanged: a login that is refused with the old ones is
// tried with the new ones, until it is known which are good.
func TestCredentialsThatMayHaveChanged(t *testing.T) {
	const fresh = "staple gun and a horse"
	for _, x := range []struct {
		what   string
		first  outcome // of the update
		good   string
		logins []string // passwords, after the update; then one more update
		err    error
	}{
		{"unknown, made", reset, fresh, []string{password, fresh}, nil},
		{"unknown, not made", reset, password, []string{password}, nil},
		{"made", done, fresh, []string{fresh}, nil},
		{"refused", code(409, orgd.ErrNameTaken), password, []string{password}, nil},
		{"unknown, and changed again", reset, "a third", []string{password, fresh}, orgd.ErrBadCredentials},
	} {
		synctest.Test(t, func(t *testing.T) {
			var tried []string
			f := &fake{seconds: 60}
			f.login = func(n int, req *http.Request) (*http.Response, error) {
				if n == 1 {
					return f.issue(n, req)
				}
				sent := f.requests[len(f.requests)-1].body
				for _, p := range []string{password, fresh} {
					if slices.Contains([]string{`{"email":"admin@acme.example","password":"` + p + `"}`}, sent) {
						tried = append(tried, p)
						if p == x.good {
							return f.issue(n, req)
						}
					}
				}
				return refuse(401, orgd.ErrBadCredentials)
			}
			f.answer = func(n int, _ *http.Request) (*http.Response, error) {
				if n == 1 {
					return x.first()
				}
				return done()
			}
			c := f.client(t, orgd.WithLogin(email, password), orgd.WithRetries(0))
			_, _ = c.UpdateOrganization(t.Context(), orgd.Update{Password: fresh})
			time.Sleep(time.Minute) // the token has run out
			if err := update(t, c); !errors.Is(err, x.err) {
				t.Errorf("%s: %v", x.what, err)
			}
			if diff := cmp.Diff(x.logins, tried); diff != "" {
				t.Errorf("%s: %s", x.what, diff)
			}
			time.Sleep(time.Minute)
			tried = nil
			if err := update(t, c); x.err == nil && (err != nil || len(tried) != 1 || tried[0] != x.good) {
				t.Errorf("%s: it has not learned: %q, %v", x.what, tried, err)
			}
		})
	}
}
