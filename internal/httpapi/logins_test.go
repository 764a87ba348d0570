package httpapi

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// A doorway is a server whose admins all have the same password.
type doorway struct {
	*server
	clock
	t *testing.T
}

func newDoorway(t *testing.T, perMinute int) *doorway {
	d := &doorway{t: t}
	d.server = start(t, func(c *Config) {
		c.LoginsPerMinute, c.Now = perMinute, d.now
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	for _, name := range []string{"u4", "ada", "suspended"} {
		d.store.create(name, name+"@x.example")
	}
	closed, err := d.store.Lookup(t.Context(), "suspended")
	if err != nil {
		t.Fatal(err)
	}
	d.store.must(d.store.SuspendOrganization(t.Context(), closed.ID))
	return d
}

// try logs in from an address, and fails the test unless the answer has that status.
func (d *doorway) try(status int, name, given, address string) answer {
	d.t.Helper()
	d.store.asked()
	if given == "right" {
		given = password
	}
	a := d.do("POST", "/admin/login", fmt.Sprintf(`{"email":"%s@x.example","password":%q}`, name, given), "X-Forwarded-For: "+address)
	if a.status != status {
		d.t.Errorf("%s from %s with %s: %d, want %d", name, address, given, a.status, status)
	}
	if asked := d.store.asked(); status == 429 && asked != "" {
		d.t.Errorf("a refused login reached the store, which asked: %s", asked)
	}
	return a
}

func TestFailedLoginsAreLimited(t *testing.T) {
	d := newDoorway(t, 3)
	for i := range 3 {
		d.try(401, fmt.Sprint("u", i), "wrong", "192.0.2.1")
	}
	if a := d.try(429, "u4", "right", "192.0.2.1"); a.header.Get("Retry-After") != "20" {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	if a := d.do("POST", "/admin/login", "rubbish", "X-Forwarded-For: 192.0.2.1"); a.status != 429 {
		t.Errorf("whatever it sends: %d", a.status)
	}
	for i := range 3 {
		d.try(401, "victim", "wrong", fmt.Sprintf("2001:db8:7:%x::1", i))
	}
	d.try(429, "Victim", "wrong", "2001:db8:7:9::1") // the network, however many addresses it has
	d.try(401, "other", "wrong", "2001:db8:7:9::1")
	d.try(401, "victim", "wrong", "2001:db8:8::1")
	d.advance(20 * time.Second)
	d.try(200, "u4", "right", "192.0.2.1")
}

func TestALoginThatSucceedsUsesNothingUp(t *testing.T) {
	d := newDoorway(t, 2)
	for range 10 {
		d.try(200, "ada", "right", "192.0.2.1")
		d.try(423, "suspended", "right", "192.0.2.2")
	}
	d.try(401, "bob", "wrong", "192.0.2.1")
	d.try(401, "bob", "wrong", "192.0.2.1")
	d.try(429, "bob", "wrong", "192.0.2.1")
}

// Strangers guess ada's password: neither from elsewhere nor from next to her do they keep
// her out where she has logged in before, nor where she has not.
func TestStrangersKeepNobodyOut(t *testing.T) {
	d := newDoorway(t, 3)
	d.try(200, "ada", "right", "192.0.2.1")
	for i := range 100 {
		d.try(401, "ada", "wrong", fmt.Sprintf("10.%d.0.1", i))
	}
	for range 3 {
		d.try(401, "ada", "wrong", "192.0.2.9")
		d.try(401, "bob", "wrong", "192.0.2.1") // the same address: an office, a proxy
	}
	d.try(429, "ada", "wrong", "192.0.2.10")
	d.try(429, "bob", "wrong", "192.0.2.1")
	for range 5 {
		d.try(200, "ada", "right", "192.0.2.1")
		d.try(200, "ada", "right", "203.0.113.1")
	}
	for range 3 { // a client that shares all with her has her allowance, and no more
		d.try(401, "ada", "wrong", "192.0.2.1")
	}
	d.try(429, "ada", "wrong", "192.0.2.1")
	d.try(200, "ada", "right", "203.0.113.1")
}
