package httpapi

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"github.com/orgd/orgd/internal/org"
)

// attempts limits one kind of attempt, for each client address and, apart from
// that, for each e-mail address. Both are nil when there is no limit.
type attempts struct {
	byAddress, byEmail *limits
}

func newAttempts(perMinute int, now func() time.Time) attempts {
	return attempts{byAddress: newLimits(perMinute, now), byEmail: newLimits(perMinute, now)}
}

// attemptsOf returns the limits of an operation; most have none.
func (a *API) attemptsOf(operationID string) attempts {
	switch operationID {
	case "createOrganization":
		return a.signups
	case "login":
		return a.logins
	}
	return attempts{}
}

// takeRequest counts a request for an organization's data.
func (a *API) takeRequest(op *operation, ec echo.Context) error {
	p := callOf(ec).principal
	if a.requests == nil || !op.data || p == nil {
		return nil
	}
	return a.requests.take(p.OrgID)
}

// maxKeys bounds the memory of a limits: two generations of that many keys, of
// about 200 bytes each.
const maxKeys = 1 << 15

// limits is a rate limit for each of many keys: so many at once, and as many a
// minute after that. It is safe for concurrent use.
//
// A key that has rested for a minute has its whole allowance back and need not
// be remembered. So there are two generations: a used key is in the current one,
// and what has stayed in the previous one for a minute is dropped with it. When
// more than maxKeys keys come within a minute the generations change sooner,
// which forgives some of them early: under a flood from that many addresses
// bounded memory matters more, and refusing strangers would do the flood's work.
type limits struct {
	perMinute int
	now       func() time.Time

	mu                sync.Mutex
	current, previous map[string]*rate.Limiter
	since             time.Time // when current began
}

// newLimits returns nil, which limits nothing, when perMinute is not positive.
func newLimits(perMinute int, now func() time.Time) *limits {
	if perMinute <= 0 {
		return nil
	}
	return &limits{perMinute: perMinute, now: now, current: map[string]*rate.Limiter{}, since: now()}
}

// take uses up one attempt of that key, or refuses and says when to come back.
// An attempt that is refused uses nothing up.
func (l *limits) take(key string) error {
	if l == nil {
		return nil
	}
	now := l.now()
	r := l.limiter(key, now).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait <= 0 {
		return nil
	}
	r.CancelAt(now)
	wait = wait.Round(time.Millisecond) // rate counts in fractions: 20s would be 20.000000001s, and then 21
	return &org.Error{Kind: org.RateLimited, RetryAfter: wait,
		Message: fmt.Sprintf("Too many attempts. Try again in %s seconds.", retryAfter(wait))}
}

func (l *limits) limiter(key string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= time.Minute || len(l.current) >= maxKeys {
		l.previous, l.current, l.since = l.current, map[string]*rate.Limiter{}, now
	}
	one, ok := l.current[key]
	if !ok {
		if one, ok = l.previous[key]; !ok {
			one = rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), l.perMinute)
		}
		l.current[key] = one
	}
	return one
}

// emailKey makes the spellings of one address one key.
func emailKey(email string) string { return strings.ToLower(email) }

// addressKey is the address, or for IPv6 its /64, which is the least that one
// client has.
func addressKey(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	addr = addr.WithZone("").Unmap()
	if addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return addr.String()
	}
	return prefix.String()
}

// clientAddress says who the client is: the peer of the connection, or, when
// that is a trusted proxy, the last address in X-Forwarded-For that is not one.
func clientAddress(trusted []netip.Prefix) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	// echo trusts every private network unless told otherwise.
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range trusted {
		p = p.Masked()
		options = append(options, echo.TrustIPRange(&net.IPNet{
			IP:   p.Addr().AsSlice(),
			Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		}))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}
