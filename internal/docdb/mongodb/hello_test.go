package mongodb

import "testing"

func TestHello(t *testing.T) {
	for name, test := range map[string]struct {
		hello             hello
		alone, replicates bool
	}{
		"standalone":               {hello{Primary: true}, true, false},
		"mongos":                   {hello{Primary: true, Message: "isdbgrid"}, true, true},
		"a set of one":             {hello{SetName: "rs", Hosts: []string{"a"}, Primary: true}, true, true},
		"a set of three":           {hello{SetName: "rs", Hosts: []string{"a", "b", "c"}, Primary: true}, false, true},
		"a set with a passive one": {hello{SetName: "rs", Hosts: []string{"a"}, Passives: []string{"b"}, Primary: true}, false, true},
		"a set without a primary":  {hello{SetName: "rs", Hosts: []string{"a"}}, false, true},
	} {
		if a, r := test.hello.alone(), test.hello.replicates(); a != test.alone || r != test.replicates {
			t.Errorf("%s: got alone %t, replicates %t", name, a, r)
		}
	}
}
