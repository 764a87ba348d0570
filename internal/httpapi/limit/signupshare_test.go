package limit

import "testing"

func TestSignupsInAllFollowThoseOfAnAddress(t *testing.T) {
	c := &clock{}
	if s := NewSignups(3, 0, c.now); s.all == nil || s.all.each != NewRate(30, c.now).each {
		t.Error("they are not ten times as many")
	}
	if s := NewSignups(0, 0, c.now); s.all != nil || s.byProvider != nil {
		t.Error("no limit of an address is none of all")
	}
	if s := NewSignups(0, 1, c.now); s.byProvider == nil || s.byProvider.Take("") != nil {
		t.Error("a provider has no share")
	}
}
