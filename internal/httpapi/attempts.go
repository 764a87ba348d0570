package httpapi

import (
	"net"
	"net/netip"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/policy"
)

// limitOf returns what limits the attempts of each client address; most operations have
// nothing.
func (a *API) limitOf(l policy.Limiter) *limits {
	switch l {
	case policy.LimitSignups:
		return a.signups.byAddress
	case policy.LimitLogins:
		return a.logins.byAddress
	case policy.LimitLookups:
		return a.lookups
	}
	return nil
}

// takeRequest counts a request for an organization's data.
func (a *API) takeRequest(op *operation, ec echo.Context) error {
	p := callOf(ec).principal
	if a.requests == nil || op.Limiter != policy.LimitData || p == nil {
		return nil
	}
	return a.requests.take(p.OrgID)
}

// emailKey makes the spellings of one address one key.
func emailKey(email string) string { return strings.ToLower(email) }

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
