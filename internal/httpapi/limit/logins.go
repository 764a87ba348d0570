package limit

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/httpapi/network"
	"github.com/orgd/orgd/internal/org"
)

// Logins limits the logins that fail; a login that succeeds uses nothing up. Nothing that
// strangers do elsewhere keeps an admin out: they use up the allowance of their own networks.
// An admin who has logged in from a network before has an allowance of their own there. And
// where guesses for an e-mail address come from everywhere, so that no network makes too many,
// clients that were not seen before are only slowed down: see auth.Suspect.
type Logins struct {
	ByAddress *Rate // from each client address, for whatever e-mail address
	byPair    *Rate // for each e-mail address, from each network
	byEmail   *Rate // for each e-mail address, from all networks
	familiar  familiar
}

// guessers is how many times a network's allowance strangers have for an e-mail address
// before they are suspects.
const guessers = 10

// NewLogins allows each network so many failed logins a minute; 0 is no limit.
func NewLogins(perMinute int, now func() time.Time) Logins {
	return Logins{
		ByAddress: NewRate(perMinute, now), byPair: NewRate(perMinute, now), byEmail: NewRate(guessers*perMinute, now),
		familiar: newFamiliar(),
	}
}

// A LoginAttempt is a login that has been counted.
type LoginAttempt struct {
	*Logins
	Standing             auth.Standing
	email, address, pair string
	counted              bool // for the address
}

// Begin counts a login as if it failed, or refuses it. The caller must call End. Limited is why
// the address may make no more attempts, nil if it may: an admin who is known there still may.
func (l *Logins) Begin(address string, limited error, email string) (*LoginAttempt, error) {
	a := &LoginAttempt{Logins: l, Standing: auth.Stranger, email: emailKey(email), address: network.Address(address), counted: limited == nil}
	if l.familiar.has(a.email, a.address) {
		a.Standing, a.pair = auth.Known, pairKey(a.email, a.address)
		return a, l.byPair.Take(a.pair)
	}
	if limited != nil {
		return nil, limited
	}
	a.pair = pairKey(a.email, network.Site(address))
	if err := l.byPair.Take(a.pair); err != nil {
		return nil, err
	}
	if l.byEmail.Take(a.email) != nil {
		a.Standing = auth.Suspect
	}
	return a, nil
}

// End gives back what was counted if the password was right, and remembers the network.
func (a *LoginAttempt) End(err error) {
	if err != nil && !errors.Is(err, org.Suspended) {
		return
	}
	a.byPair.give(a.pair)
	if a.counted {
		a.ByAddress.give(a.address)
	}
	if a.Standing == auth.Stranger {
		a.byEmail.give(a.email)
	}
	a.familiar.add(a.email, a.address)
}

// pairKey is a key of fixed length for an e-mail address and a network.
func pairKey(email, network string) string {
	digest := sha256.Sum256([]byte(email + "\x00" + network))
	return string(digest[:16])
}
