package httpapi

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/org"
)

// A clock that stands still until it is set.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return noon.Add(time.Duration(c.at.Load())) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func TestLimits(t *testing.T) {
	c := &clock{}
	l := newLimits(6, c.now) // one every ten seconds
	take := func(key string) time.Duration {
		if err := l.take(key); err != nil {
			return err.(*org.Error).RetryAfter
		}
		return 0
	}
	for i := range 6 {
		if wait := take("a"); wait != 0 {
			t.Fatalf("attempt %d must wait %v", i, wait)
		}
	}
	for range 3 { // being refused costs nothing
		if wait := take("a"); wait != 10*time.Second {
			t.Fatalf("the seventh must wait %v, want 10s", wait)
		}
	}
	if wait := take("b"); wait != 0 {
		t.Errorf("another key must wait %v", wait)
	}
	c.advance(9500 * time.Millisecond)
	if wait := take("a"); wait != 500*time.Millisecond {
		t.Errorf("must wait %v, want 0.5s", wait)
	}
	c.advance(500 * time.Millisecond)
	if wait := take("a"); wait != 0 {
		t.Errorf("after ten seconds must wait %v", wait)
	}
	// Neither generation that ends on the way may forgive anything.
	for range 12 {
		c.advance(10 * time.Second)
		if first, second := take("a"), take("a"); first != 0 || second != 10*time.Second {
			t.Fatalf("at %v: %v then %v", c.now(), first, second)
		}
	}
}

func TestNoLimit(t *testing.T) {
	var l *limits
	if newLimits(0, time.Now) != nil || newLimits(-1, time.Now) != nil || l.take("a") != nil {
		t.Error("0 must not limit anything")
	}
}

func TestLimitsForgetWhatRested(t *testing.T) {
	c := &clock{}
	l := newLimits(5, c.now)
	for i := range 1000 {
		_ = l.take(fmt.Sprint(i))
	}
	for range 2 {
		c.advance(time.Minute)
		_ = l.take("last")
	}
	if n := len(l.current) + len(l.previous); n > 2 {
		t.Errorf("%d keys are remembered", n)
	}
}

func TestAFloodOfKeysIsBounded(t *testing.T) {
	c := &clock{}
	l := newLimits(5, c.now)
	for i := range 5 * maxKeys {
		_ = l.take(fmt.Sprint(i))
		if len(l.current)+len(l.previous) > 2*maxKeys {
			t.Fatalf("%d keys are remembered", len(l.current)+len(l.previous))
		}
	}
}

func TestLimitsAreSafeForConcurrentUse(t *testing.T) {
	c := &clock{}
	l := newLimits(100, c.now)
	var granted atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				if l.take("shared") == nil {
					granted.Add(1)
				}
				_ = l.take(fmt.Sprintf("own %d %d", g, i))
			}
		})
	}
	wg.Wait()
	if granted.Load() != 100 {
		t.Errorf("%d attempts granted, want 100", granted.Load())
	}
}

func TestGivingBack(t *testing.T) {
	c := &clock{}
	l := newLimits(2, c.now)
	twoAtOnce := func(key string) {
		t.Helper()
		for i, want := range []bool{true, true, false} {
			if got := l.take(key) == nil; got != want {
				t.Fatalf("attempt %d at %s: %v", i, key, got)
			}
		}
	}
	for range 5 {
		twoAtOnce("a")
		l.give("a")
		l.give("a")
	}
	for range 3 { // more than was taken
		l.give("b")
	}
	twoAtOnce("b")
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
	for i, status := range []int{201, 409, 409} { // who has it does not matter
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

func TestClientAddress(t *testing.T) {
	trust := func(prefixes ...string) []netip.Prefix {
		var out []netip.Prefix
		for _, p := range prefixes {
			out = append(out, netip.MustParsePrefix(p))
		}
		return out
	}
	for _, c := range []struct {
		what      string
		trusted   []netip.Prefix
		peer      string
		forwarded []string
		want      string
	}{
		{"nobody is trusted", nil, "127.0.0.1:1", []string{"192.0.2.1"}, "127.0.0.1"},
		{"another is trusted", trust("10.0.0.0/8"), "127.0.0.1:1", []string{"192.0.2.1"}, "127.0.0.1"},
		{"private networks are not trusted by themselves", trust("10.0.0.1/32"), "10.0.0.2:1", []string{"192.0.2.1"}, "10.0.0.2"},
		{"a trusted peer", trust("10.0.0.0/8"), "10.0.0.2:1", []string{"192.0.2.1"}, "192.0.2.1"},
		{"what the client adds is not believed", trust("10.0.0.0/8"), "10.0.0.2:1", []string{"203.0.113.9, 192.0.2.1"}, "192.0.2.1"},
		{"two proxies", trust("10.0.0.0/8"), "10.0.0.2:1", []string{"203.0.113.9, 192.0.2.1, 10.9.9.9"}, "192.0.2.1"},
		{"two headers", trust("10.0.0.0/8"), "10.0.0.2:1", []string{"203.0.113.9", "192.0.2.1"}, "192.0.2.1"},
		{"rubbish", trust("10.0.0.0/8"), "10.0.0.2:1", []string{"rubbish"}, "10.0.0.2"},
		{"rubbish that the client put first", trust("10.0.0.0/8"), "10.0.0.2:1", []string{"rubbish, 192.0.2.1"}, "192.0.2.1"},
		{"no header", trust("10.0.0.0/8"), "10.0.0.2:1", nil, "10.0.0.2"},
		{"over IPv6", trust("fd00::/8"), "[fd00::1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"an unmasked prefix", trust("10.0.0.7/8"), "10.0.0.2:1", []string{"192.0.2.1"}, "192.0.2.1"},
	} {
		r, err := newRequest(c.peer, c.forwarded)
		if err != nil {
			t.Fatal(err)
		}
		if got := clientAddress(c.trusted)(r); got != c.want || net.ParseIP(got) == nil {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}
