package network

import "testing"

func TestNetworksOfAddresses(t *testing.T) {
	for in, want := range map[string][2]string{
		"192.0.2.1":            {"192.0.2.1/32", "192.0.2.0/24"},
		"::ffff:192.0.2.1":     {"192.0.2.1/32", "192.0.2.0/24"},
		"2001:db8:1:2:3:4:5:6": {"2001:db8:1:2::/64", "2001:db8:1::/48"},
		"2001:db8:1:3::1":      {"2001:db8:1:3::/64", "2001:db8:1::/48"},
		"fe80::1%eth0":         {"fe80::/64", "fe80::/48"},
		"@":                    {"@", "@"}, "": {"", ""},
	} {
		if got := [2]string{Address(in), Site(in)}; got != want {
			t.Errorf("%q is in %q, want %q", in, got, want)
		}
	}
}
