package httpapi

import (
	"fmt"
	"net/netip"
	"testing"
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

func TestSignupsInAllFollowThoseOfAnAddress(t *testing.T) {
	c := &clock{}
	if s := newSignups(3, 0, c.now); s.all == nil || s.all.each != newLimits(30, c.now).each {
		t.Error("they are not ten times as many")
	}
	if s := newSignups(0, 0, c.now); s.all != nil || s.byProvider != nil {
		t.Error("no limit of an address is none of all")
	}
	if s := newSignups(0, 1, c.now); s.byProvider == nil || s.byProvider.take("") != nil {
		t.Error("a provider has no share")
	}
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
