package orgd_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	orgd "github.com/orgd/orgd/sdk/go"
	"github.com/orgd/orgd/sdk/go/client"
)

type outcome = func() (*http.Response, error)

func code(status int, code orgd.Code, headers ...string) outcome {
	return func() (*http.Response, error) { return refuse(status, code, headers...) }
}

func page(status int) outcome {
	return func() (*http.Response, error) {
		return reply(status, "<html><title>Oh no</title></html>", "Content-Type", "text/html")
	}
}

func broken(err error) outcome {
	return func() (*http.Response, error) { return nil, err }
}

var (
	reset       = broken(&net.OpError{Op: "read", Err: syscall.ECONNRESET})
	cutOff      = broken(io.ErrUnexpectedEOF)
	connRefused = broken(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED})
	unknownHost = broken(&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}})
	untrusted   = broken(&tls.CertificateVerificationError{Err: errors.New("x509")})
	done        = func() (*http.Response, error) { return reply(200, organization) }
)

// calls are calls of every sort: what they change, and how often they may be sent.
var calls = map[string]func(context.Context, *orgd.Client) error{
	"create": func(ctx context.Context, c *orgd.Client) error { _, err := c.CreateOrganization(ctx, acme); return err },
	"get":    func(ctx context.Context, c *orgd.Client) error { _, err := c.GetOrganization(ctx, "Acme"); return err },
	"update": func(ctx context.Context, c *orgd.Client) error {
		_, err := c.UpdateOrganization(ctx, orgd.Update{})
		return err
	},
	"post": func(ctx context.Context, c *orgd.Client) error { // an operation that is not in the table
		_, err := c.API().CreateIndex(ctx, client.IndexCreate{}, func(_ context.Context, req *http.Request) error {
			req.URL.Path = "/org/later"
			return nil
		})
		return err
	},
	"ready": func(ctx context.Context, c *orgd.Client) error { return c.Ready(ctx) },
	"stream": func(ctx context.Context, c *orgd.Client) error { // a body that cannot be read again
		_, err := c.API().UpdateOrganizationWithBody(ctx, nil, "application/json", io.MultiReader(strings.NewReader("{}")))
		return err
	},
}

// TestWhatIsTriedAgain: each call meets one failure, and then an answer.
func TestWhatIsTriedAgain(t *testing.T) {
	const again, perhaps, never = "again", "perhaps", "never" // perhaps: not again, and it may have been done
	for _, c := range []struct {
		what                                     string
		first                                    outcome
		create, post, get, update, ready, stream string
	}{
		{"rate limit", code(429, orgd.ErrRateLimited), again, again, again, again, never, never},
		{"unavailable", code(503, orgd.ErrUnavailable), again, again, again, again, never, never},
		{"no connection", connRefused, again, again, again, again, never, never},
		{"no such host", unknownHost, never, never, never, never, never, never},
		{"wrong certificate", untrusted, never, never, never, never, never, never},
		{"outcome unknown", code(503, orgd.ErrOutcomeUnknown), again, perhaps, again, again, perhaps, perhaps},
		{"proxy's 502", page(502), again, perhaps, again, again, never, perhaps},
		{"proxy's 503", page(503), again, perhaps, again, again, never, perhaps},
		{"proxy's 504", page(504), again, perhaps, again, again, never, perhaps},
		{"connection reset", reset, again, perhaps, again, again, never, perhaps},
		{"connection cut off", cutOff, again, perhaps, again, again, never, perhaps},
		{"key in use", code(409, orgd.ErrIdempotencyInProgress), again, perhaps, never, perhaps, never, perhaps},
		{"query timeout", code(503, orgd.ErrQueryTimeout), never, never, never, never, never, never},
		{"quota", code(507, orgd.ErrQuotaExceeded), never, never, never, never, never, never},
		{"storage full", code(503, orgd.ErrStorageFull), never, never, never, never, never, never},
		{"internal", code(500, orgd.ErrInternal), perhaps, perhaps, never, perhaps, never, perhaps},
		{"conflict", code(409, orgd.ErrOperationInProgress), never, never, never, never, never, never},
		{"refused", code(422, orgd.ErrInvalid), never, never, never, never, never, never},
		{"a page of somebody else", page(200), perhaps, perhaps, never, perhaps, never, perhaps},
	} {
		for call, want := range map[string]string{"create": c.create, "post": c.post, "get": c.get, "update": c.update, "ready": c.ready, "stream": c.stream} {
			requests, err := meet(t, c.first, calls[call])
			got := never
			switch {
			case err == nil:
				got = again
			case errors.Is(err, orgd.ErrOutcomeUnknown):
				got = perhaps
			}
			if got != want || (requests > 1) != (want == again) {
				t.Errorf("%s meets %s: after %d requests %s, want %s: %v", call, c.what, requests, got, want, err)
			}
		}
	}
}

// meet makes a call that meets a failure first, and says how many requests came
// of it.
func meet(t *testing.T, first outcome, call func(context.Context, *orgd.Client) error) (requests int, err error) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(n int, _ *http.Request) (*http.Response, error) {
			if n == 1 {
				return first()
			}
			return done()
		}}
		err = call(t.Context(), f.client(t, orgd.WithToken("t")))
		requests = f.n
	})
	return requests, err
}

// waits returns how long the client waited between requests that were all
// refused with the headers.
func waits(t *testing.T, retries int, headers ...string) (waits []time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		var last time.Time
		f := &fake{answer: func(n int, _ *http.Request) (*http.Response, error) {
			if n > 1 {
				waits = append(waits, time.Since(last))
			}
			last = time.Now()
			return refuse(503, orgd.ErrUnavailable, headers...)
		}}
		_, err := f.client(t, orgd.WithRetries(retries)).GetOrganization(t.Context(), "Acme")
		if !errors.Is(err, orgd.ErrUnavailable) {
			t.Errorf("after %d requests: %v", f.n, err)
		}
	})
	return waits
}

func TestWaitsGrowAndDiffer(t *testing.T) {
	seen := map[time.Duration]bool{}
	got := waits(t, 12)
	if len(got) != 12 {
		t.Fatalf("%d waits", len(got))
	}
	for n, wait := range got {
		most := min(200*time.Millisecond<<n, 10*time.Second)
		if wait < most/2 || wait > most {
			t.Errorf("wait %d is %s, want %s to %s", n, wait, most/2, most)
		}
		seen[wait] = true
	}
	if len(seen) < 10 {
		t.Errorf("no jitter: %v", got)
	}
	if got := waits(t, 0); len(got) != 0 {
		t.Errorf("told not to, it tried again after %v", got)
	}
}

func TestRetryAfter(t *testing.T) {
	for header, asked := range map[string]time.Duration{
		"7": 7 * time.Second, "0": 0, "-1": 0, "soon": 0, "99999999999999999999": 0, "": 0,
		"Sat, 01 Jan 2000 00:00:20 GMT": 20 * time.Second, // synctest's clock begins at that year
		"Fri, 31 Dec 1999 00:00:00 GMT": 0,
	} {
		got := waits(t, 1, "Retry-After", header)
		if len(got) != 1 || got[0] < asked || got[0] > asked+200*time.Millisecond {
			t.Errorf("Retry-After %q: waited %v", header, got)
		}
	}
	for _, header := range []string{"31", "2147483647", "Sat, 01 Jan 2000 01:00:00 GMT"} {
		if got := waits(t, 1, "Retry-After", header); len(got) != 0 {
			t.Errorf("Retry-After %q: waited %v", header, got)
		}
	}
}

func TestRetryAfterIsInTheError(t *testing.T) {
	f := &fake{answer: func(int, *http.Request) (*http.Response, error) {
		return refuse(429, orgd.ErrRateLimited, "Retry-After", "300")
	}}
	_, err := f.client(t).CreateOrganization(t.Context(), acme)
	if e, ok := errors.AsType[*orgd.Error](err); !ok || e.RetryAfter != 5*time.Minute || f.n != 1 {
		t.Errorf("after %d requests: %v", f.n, err)
	}
}

func TestContextEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(int, *http.Request) (*http.Response, error) {
			return refuse(503, orgd.ErrUnavailable, "Retry-After", "20")
		}}
		c := f.client(t)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		began := time.Now()
		_, err := c.GetOrganization(ctx, "Acme")
		if !errors.Is(err, context.Canceled) || !errors.Is(err, orgd.ErrUnavailable) || time.Since(began) != 3*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began = time.Now()
		_, err = c.GetOrganization(ctx, "Acme")
		if !errors.Is(err, orgd.ErrUnavailable) || time.Since(began) != 0 {
			t.Errorf("a wait in vain: after %s: %v", time.Since(began), err)
		}
	})
}

// TestContextEndsARequest: what was sent may have been done.
func TestContextEndsARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(_ int, req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}}
		c := f.client(t, orgd.WithToken("t"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.DeleteOrganization(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, orgd.ErrOutcomeUnknown) || f.n != 1 {
			t.Errorf("after %d requests: %v", f.n, err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = c.GetOrganization(ctx, "Acme")
		if err == nil || err.Error() != "orgd: GET /org/get: context canceled" || !errors.Is(err, context.Canceled) || f.n != 2 {
			t.Errorf("after %d requests: %v", f.n, err)
		}
	})
}

// TestSecondTryIsRefused: the refusal may be the first try's doing, which must
// not read as "nothing was done".
func TestSecondTryIsRefused(t *testing.T) {
	for what, first := range map[string]outcome{"reset": reset, "502": page(502), "outcome_unknown": code(503, orgd.ErrOutcomeUnknown)} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{answer: func(n int, _ *http.Request) (*http.Response, error) {
				if n == 1 {
					return first()
				}
				return refuse(401, orgd.ErrTokenRevoked)
			}, login: func(n int, _ *http.Request) (*http.Response, error) {
				if n == 1 {
					return reply(200, `{"access_token":"token-1","expires_in":3600}`)
				}
				return refuse(401, orgd.ErrBadCredentials)
			}}
			_, err := f.client(t, orgd.WithLogin(email, password)).DeleteOrganization(t.Context())
			if !errors.Is(err, orgd.ErrOutcomeUnknown) || !errors.Is(err, orgd.ErrBadCredentials) {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
}

// TestAFailedLoginLeavesNoDoubt: it changes nothing, whatever comes of it.
func TestAFailedLoginLeavesNoDoubt(t *testing.T) {
	for what, all := range map[string]outcome{"reset": reset, "502": page(502), "internal": code(500, orgd.ErrInternal), "a page": page(200)} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{login: func(int, *http.Request) (*http.Response, error) { return all() }}
			if _, err := f.client(t).Login(t.Context(), email, password); err == nil || errors.Is(err, orgd.ErrOutcomeUnknown) {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
}

func TestIdempotencyKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(n int, _ *http.Request) (*http.Response, error) {
			if n < 3 {
				return refuse(503, orgd.ErrUnavailable)
			}
			return done()
		}}
		c := f.client(t, orgd.WithLogin(email, password))
		for range 2 {
			if _, err := c.CreateOrganization(t.Context(), acme); err != nil {
				t.Fatal(err)
			}
		}
		_, err := c.API().CreateOrganization(t.Context(), nil, client.OrganizationCreate{}, func(_ context.Context, req *http.Request) error {
			req.Header.Set("Idempotency-Key", "mine")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.UpdateOrganization(t.Context(), orgd.Update{}); err != nil {
			t.Fatal(err)
		}
		name := strings.ToLower("Idempotency-Key")
		var keys []string
		for _, r := range f.requests {
			if len(r.header["Idempotency-Key"]) > 0 {
				t.Errorf("%s %s: spelled so, net/http would repeat it", r.method, r.path)
			}
			keys = append(keys, strings.Join(r.header[name], ","))
		}
		if len(keys) != 7 || len(keys[0]) < 16 || keys[0] != keys[1] || keys[1] != keys[2] || len(keys[3]) < 16 || keys[3] == keys[0] {
			t.Errorf("keys of two creates, the first tried thrice: %q", keys)
		}
		if diff := cmp.Diff([]string{"mine", "", ""}, keys[4:]); diff != "" { // create, login, update
			t.Error(diff)
		}
	})
}
