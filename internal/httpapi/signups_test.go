package httpapi

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestSignupsInAll(t *testing.T) {
	c := &clock{}
	s := start(t, func(cfg *Config) {
		cfg.AllSignupsPerMinute, cfg.Now = 8, c.now
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	n := 0
	signUp := func(status int, address string) {
		t.Helper()
		n++
		name := fmt.Sprint("Org ", n)
		if status == 409 {
			name = "Acme"
		}
		body := fmt.Sprintf(`{"organization_name":%q,"email":"a%d@x.example","password":"correct horse"}`, name, n)
		if a := s.do("POST", "/org/create", body, "X-Forwarded-For: "+address); a.status != status || status == 429 && a.header.Get("Retry-After") == "" {
			t.Errorf("sign-up %d from %s: %d %s", n, address, a.status, a.body)
		}
	}
	for range 20 { // what is refused does not count
		signUp(409, "2001:db8::1")
	}
	signUp(201, "2001:db8:1::1")
	signUp(201, "2001:db8:2::1")
	signUp(429, "2001:db8:3::1") // a quarter is one provider's
	for i := range 6 {
		signUp(201, fmt.Sprintf("10.%d.0.1", i))
	}
	signUp(429, "10.99.0.1")
	c.advance(7500e6) // an eighth of a minute
	signUp(201, "10.99.0.1")
}

func TestLookupsAreLimited(t *testing.T) {
	c := &clock{}
	s := start(t, func(cfg *Config) { cfg.LookupsPerMinute, cfg.Now = 2, c.now })
	for i, want := range []int{200, 200, 429, 429} {
		if a := s.do("GET", "/org/get?organization_name=Acme", ""); a.status != want || want == 429 && a.header.Get("Retry-After") != "30" {
			t.Errorf("lookup %d: %d, Retry-After %q", i, a.status, a.header.Get("Retry-After"))
		}
	}
}

func TestMovesAreLimited(t *testing.T) {
	c := &clock{}
	s := start(t, func(cfg *Config) { cfg.MovesPerMinute, cfg.Now = 2, c.now })
	update := func(body string, want int) {
		t.Helper()
		if a := s.do("PUT", "/org/update", body, s.bearer()); a.status != want {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	update(`{}`, 200)
	update(`{"organization_name":"Acme 2"}`, 200)
	update(`{}`, 429)
	update(`{"organization_name":"Acme 3","migrate":false}`, 200)
	c.advance(30e9)
	update(`{}`, 200)
}
func TestAttemptsOverHTTP(t *testing.T) {
	c := &clock{}
	s := start(t, func(cfg *Config) {
		cfg.SignupsPerMinute, cfg.Now = 3, c.now
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	n := 0
	as := func(email string) string { // each time of another name
		n++
		return strings.NewReplacer("admin@", email+"@", "Newco", fmt.Sprint("Newco ", n)).Replace(create)
	}
	expect := func(what, body, address string, status int, retryAfter string) {
		t.Helper()
		s.store.asked()
		got := s.do("POST", "/org/create", body, "X-Forwarded-For: "+address)
		if got.status != status || got.header.Get("Retry-After") != retryAfter {
			t.Errorf("%s: %d, Retry-After %q, want %d, %q", what, got.status, got.header.Get("Retry-After"), status, retryAfter)
		}
		if asked := s.store.asked(); status == 429 && asked != "" {
			t.Errorf("%s: a refused attempt reached the store, which asked: %s", what, asked)
		}
	}
	for i := range 3 {
		expect("within", as(fmt.Sprint("u", i)), "192.0.2.1", 201, "")
	}
	expect("one address", as("u4"), "192.0.2.1", 429, "20")
	expect("one address, whatever it sends", "rubbish", "192.0.2.1", 429, "20")
	for i, status := range []int{201, 409, 409} { // which address has it does not matter
		expect("spread over addresses", as([]string{"victim", "Victim", "VICTIM"}[i]), fmt.Sprint("192.0.2.", 10+i), status, "")
	}
	expect("one e-mail", as("vicTim"), "192.0.2.20", 429, "20")
	for i := range 3 {
		expect("one /64", as(fmt.Sprint("v", i)), fmt.Sprintf("2001:db8::%d", i), 201, "")
	}
	expect("one /64", as("v4"), "2001:db8::ffff", 429, "20")
	expect("another /64", as("v5"), "2001:db8:0:1::1", 201, "")
	c.advance(20 * time.Second)
	expect("after the wait", as("u5"), "192.0.2.1", 201, "")
}
