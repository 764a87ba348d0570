package httpapi

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/httpapi/network"
	"github.com/orgd/orgd/internal/org"
)

// logins limits the logins that fail; one that succeeds uses nothing up. Nothing that
// strangers do elsewhere keeps an admin out: what they use up is their own networks'
// allowance. Who has logged in from somewhere before has one of their own there. And where
// guesses for an e-mail address come from everywhere, so that no network makes too many, those
// who were not seen before are only slowed down: see auth.Suspect.
type logins struct {
	byAddress *limits // from each client address, for whatever e-mail address
	byPair    *limits // for each e-mail address, from each network
	byEmail   *limits // for each e-mail address, from all networks
	familiar  familiar
}

// guessers is how many times a network's allowance strangers have for an e-mail address
// before they are suspects.
const guessers = 10

func newLogins(perMinute int, now func() time.Time) logins {
	return logins{
		byAddress: newLimits(perMinute, now), byPair: newLimits(perMinute, now), byEmail: newLimits(guessers*perMinute, now),
		familiar: newFamiliar(),
	}
}

// A loginAttempt is one login that has been counted.
type loginAttempt struct {
	*logins
	standing             auth.Standing
	email, address, pair string
	counted              bool // for the address
}

// begin counts a login as if it failed, or refuses it.
func (l *logins) begin(address string, limited error, email string) (*loginAttempt, error) {
	a := &loginAttempt{logins: l, standing: auth.Stranger, email: emailKey(email), address: network.Address(address), counted: limited == nil}
	if l.familiar.has(a.email, a.address) {
		a.standing, a.pair = auth.Known, pairKey(a.email, a.address)
		return a, l.byPair.take(a.pair)
	}
	if limited != nil {
		return nil, limited
	}
	a.pair = pairKey(a.email, network.Site(address))
	if err := l.byPair.take(a.pair); err != nil {
		return nil, err
	}
	if l.byEmail.take(a.email) != nil {
		a.standing = auth.Suspect
	}
	return a, nil
}

// end gives back what was counted when the password was the right one, and remembers it.
func (a *loginAttempt) end(err error) {
	if err != nil && !errors.Is(err, org.Suspended) {
		return
	}
	a.byPair.give(a.pair)
	if a.counted {
		a.byAddress.give(a.address)
	}
	if a.standing == auth.Stranger {
		a.byEmail.give(a.email)
	}
	a.familiar.add(a.email, a.address)
}

// pairKey is short, whatever an e-mail address is.
func pairKey(email, network string) string {
	digest := sha256.Sum256([]byte(email + "\x00" + network))
	return string(digest[:16])
}
