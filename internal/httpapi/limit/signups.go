package limit

import (
	"errors"
	"time"

	"github.com/orgd/orgd/internal/httpapi/network"
	"github.com/orgd/orgd/internal/org"
)

// Signups limits sign-ups: the attempts of a client address and those for an e-mail address;
// and those that succeed, in all and from one provider's networks.
type Signups struct {
	ByAddress, byEmail *Rate
	byProvider, all    *Rate
}

// providerShare: a quarter of all sign-ups may come from one provider, so that no flood from
// one provider uses them all up.
const providerShare = 4

// allSignups is how many times the sign-ups of one address there may be in all, unless the
// operator says how many.
const allSignups = 10

// NewSignups allows each client address, and each e-mail address, so many attempts a minute, and
// so many sign-ups in all; 0 in all is ten times as many as for an address.
func NewSignups(perMinute, inAll int, now func() time.Time) Signups {
	if inAll == 0 {
		inAll = allSignups * perMinute
	}
	s := Signups{ByAddress: NewRate(perMinute, now), byEmail: NewRate(perMinute, now)}
	if inAll > 0 {
		s.all, s.byProvider = NewRate(inAll, now), NewRate(max(inAll/providerShare, 1), now)
	}
	return s
}

// Begin counts a sign-up, or refuses it. The caller must call end with the sign-up's error:
// a sign-up that fails does not count against those that succeed.
func (s *Signups) Begin(address, email string) (end func(error), err error) {
	if err := s.byEmail.Take(emailKey(email)); err != nil {
		return nil, err
	}
	provider := network.Provider(address)
	if err := s.byProvider.Take(provider); err != nil {
		return nil, err
	}
	if err := s.all.Take(""); err != nil {
		s.byProvider.give(provider)
		return nil, err
	}
	return func(err error) {
		if err != nil && !errors.Is(err, org.OutcomeUnknown) {
			s.byProvider.give(provider)
			s.all.give("")
		}
	}, nil
}
