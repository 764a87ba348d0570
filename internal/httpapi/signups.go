package httpapi

import (
	"errors"
	"time"

	"github.com/orgd/orgd/internal/httpapi/network"
	"github.com/orgd/orgd/internal/org"
)

// signups limits sign-ups: the attempts of a client address and those for an e-mail address;
// and what comes of them, in all and of one provider's networks.
type signups struct {
	byAddress, byEmail *limits
	byProvider, all    *limits
}

// providerShare is how much of all sign-ups may come from one provider, a quarter, so that
// no flood from one uses them all up.
const providerShare = 4

// allSignups is how many times an address's sign-ups there are in all, unless the operator
// says how many.
const allSignups = 10

func newSignups(perMinute, inAll int, now func() time.Time) signups {
	if inAll == 0 {
		inAll = allSignups * perMinute
	}
	s := signups{byAddress: newLimits(perMinute, now), byEmail: newLimits(perMinute, now)}
	if inAll > 0 {
		s.all, s.byProvider = newLimits(inAll, now), newLimits(max(inAll/providerShare, 1), now)
	}
	return s
}

// begin counts a sign-up, or refuses it. end must be called with what became of it: one
// that is refused is not one of all.
func (s *signups) begin(address, email string) (end func(error), err error) {
	if err := s.byEmail.take(emailKey(email)); err != nil {
		return nil, err
	}
	provider := network.Provider(address)
	if err := s.byProvider.take(provider); err != nil {
		return nil, err
	}
	if err := s.all.take(""); err != nil {
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
