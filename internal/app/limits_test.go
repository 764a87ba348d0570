package app_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// limited fails the test unless the answer says to come back in that many seconds.
func (a answer) limited(seconds int) {
	a.t.Helper()
	a.is(429, "rate_limited")
	after, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || after > seconds || after < seconds-5 {
		a.t.Errorf("Retry-After is %q, want %d or a little less", a.header.Get("Retry-After"), seconds)
	}
	if !strings.Contains(a.text("detail"), a.header.Get("Retry-After")+" seconds") {
		a.t.Errorf("Retry-After is %s, and the detail %q", a.header.Get("Retry-After"), a.text("detail"))
	}
}

// attempts are the two operations that are limited.
var attempts = map[string]func(w *world, email string, headers ...string) answer{
	"RATE_LIMIT_LOGIN": func(w *world, email string, headers ...string) answer {
		return w.do("POST", "/admin/login", object("email", email, "password", password), headers...)
	},
	"RATE_LIMIT_SIGNUP": func(w *world, email string, headers ...string) answer {
		name := fmt.Sprint("Org ", accounts.Add(1))
		return w.do("POST", "/org/create", object("organization_name", name, "email", email, "password", password), headers...)
	},
}

func TestAttemptsAreLimitedForAnAddress(t *testing.T) {
	t.Parallel()
	for variable, attempt := range attempts {
		t.Run(variable, func(t *testing.T) {
			w := start(t, variable+"=3")
			for range 3 {
				if a := attempt(w, newEmail()); a.status == 429 {
					t.Fatalf("limited too early: %s", a.body)
				}
			}
			attempt(w, newEmail()).limited(20)
			// orgd is not configured to believe this.
			attempt(w, newEmail(), "X-Forwarded-For: 192.0.2.1", "X-Real-IP: 192.0.2.1", "Forwarded: for=192.0.2.1").limited(20)
			for other, attempt := range attempts { // the other operation has its own limit
				if a := attempt(w, newEmail()); other != variable && a.status == 429 {
					t.Errorf("%s limits %s too", variable, other)
				}
			}
			w.do("GET", getPath("Acme"), "").is(404, "not_found")
		})
	}
}

// What is refused as malformed is an attempt as well: guessing is not to be cheap.
func TestMalformedAttemptsCount(t *testing.T) {
	t.Parallel()
	w := start(t, "RATE_LIMIT_LOGIN=2", "RATE_LIMIT_SIGNUP=2")
	for _, path := range []string{"/admin/login", "/org/create"} {
		w.do("POST", path, "{").is(400, "malformed")
		w.do("POST", path, "{}", "Content-Type: text/plain").is(415, "unsupported_media_type")
		w.do("POST", path, "{}").limited(30)
	}
}

func TestAttemptsAreLimitedForAnEmail(t *testing.T) {
	t.Parallel()
	for variable, attempt := range attempts {
		t.Run(variable, func(t *testing.T) {
			w := start(t, variable+"=3", "TRUSTED_PROXIES=127.0.0.0/8")
			email := newEmail()
			from := func(i int) string { return fmt.Sprintf("X-Forwarded-For: 198.51.100.%d", i) }
			for i, spelling := range []string{email, strings.ToUpper(email), "A" + email[1:]} {
				if a := attempt(w, spelling, from(i)); a.status == 429 {
					t.Fatalf("limited too early: %s", a.body)
				}
			}
			attempt(w, email, from(3)).limited(20)
			attempt(w, "A"+email[1:], from(4)).limited(20)
			if a := attempt(w, newEmail(), from(5)); a.status == 429 {
				t.Errorf("another address is limited too: %s", a.body)
			}
		})
	}
}

// Behind a proxy the client is the last address that is not the proxy's own.
func TestTheAddressBehindAProxy(t *testing.T) {
	t.Parallel()
	w := start(t, "RATE_LIMIT_LOGIN=1", "TRUSTED_PROXIES=127.0.0.1,10.0.0.0/8")
	login := func(forwarded string) answer {
		return w.do("POST", "/admin/login", object("email", newEmail(), "password", password), "X-Forwarded-For: "+forwarded)
	}
	login("198.51.100.1").is(401, "bad_credentials")
	login("198.51.100.1").limited(60)
	login("203.0.113.9, 198.51.100.1, 10.1.2.3").limited(60) // what a client puts before it does not help
	login("198.51.100.1, 203.0.113.9").is(401, "bad_credentials")
	login("2001:db8:1:2:3::4").is(401, "bad_credentials")
	login("2001:db8:1:2::5").limited(60) // one client has a whole /64
}

func TestNoLimit(t *testing.T) {
	t.Parallel()
	w := start(t, "RATE_LIMIT_LOGIN=0", "RATE_LIMIT_SIGNUP=0")
	for range 80 { // more than the default
		attempts["RATE_LIMIT_LOGIN"](w, "nobody@tenants.example").is(401, "bad_credentials")
	}
}
