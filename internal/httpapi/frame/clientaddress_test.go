package frame

import (
	"net"
	"net/http"
	"net/netip"
	"testing"
)

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
		if got := ClientAddress(c.trusted)(r); got != c.want || net.ParseIP(got) == nil {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

func newRequest(peer string, forwarded []string) (*http.Request, error) {
	r, err := http.NewRequest("GET", "/", nil)
	if err == nil {
		r.RemoteAddr = peer
		if forwarded != nil {
			r.Header["X-Forwarded-For"] = forwarded
		}
	}
	return r, err
}
