package orgd

import (
	"errors"
	"net/http"
	"runtime/debug"
	"strings"
)

// An Option is a setting of a [Client], for [New] and [Client.With].
type Option func(*config) error

const (
	defaultRetries = 3
	maxRetries     = 100
)

// A secret is text that no verb of package fmt shows, wherever it is stored.
type secret func() string

func hide(text string) secret { return func() string { return text } }

// reveal returns the text; nil has none.
func (s secret) reveal() string {
	if s == nil {
		return ""
	}
	return s()
}

// WithLogin acts as an admin: the client logs in when it first needs a token
// and again when that runs out or is revoked. Together with [WithToken] it
// begins with that token. After an [Client.UpdateOrganization] that changes the
// e-mail address or the password the client uses the new one.
func WithLogin(email, password string) Option {
	return func(c *config) error {
		if email == "" || password == "" {
			return errors.New("orgd: WithLogin needs an e-mail address and a password")
		}
		s := c.tenant()
		s.email, s.password = email, hide(password)
		return nil
	}
}

// WithToken acts with an access_token of [Client.Login].
func WithToken(token string) Option {
	return func(c *config) error {
		if !isHeaderText(token) {
			return errors.New("orgd: WithToken: not a token")
		}
		c.tenant().token = hide(token)
		return nil
	}
}

// WithOperatorKey sends the operator's key, as a bearer token, with requests to
// paths that begin with /operator/, and with no others.
func WithOperatorKey(key string) Option {
	return func(c *config) error {
		if !isHeaderText(key) {
			return errors.New("orgd: WithOperatorKey: not a key that a header can carry")
		}
		c.operatorKey = hide(key)
		return nil
	}
}

// WithHTTPClient sends requests through a copy of h, which keeps its transport,
// cookies and timeout but not its CheckRedirect: redirects are not followed.
func WithHTTPClient(h *http.Client) Option {
	return func(c *config) error {
		if h == nil {
			return errors.New("orgd: WithHTTPClient: it is nil")
		}
		own := *h
		own.CheckRedirect = dontFollow
		c.http = &own
		return nil
	}
}

// WithUserAgent puts a program's name, such as "billing/1.4", before this
// package's in the User-Agent header.
func WithUserAgent(product string) Option {
	return func(c *config) error {
		if !isHeaderText(strings.ReplaceAll(product, " ", "_")) {
			return errors.New("orgd: WithUserAgent: not a name that a header can carry")
		}
		c.userAgent = product + " " + version()
		return nil
	}
}

// WithRetries says how often a call is tried again when that may help. The
// default is 3; 0 is not at all.
func WithRetries(n int) Option {
	return func(c *config) error {
		if n < 0 || n > maxRetries {
			return errors.New("orgd: WithRetries: not from 0 to 100")
		}
		c.retries = n
		return nil
	}
}

// tenant returns the session that these options describe. Options of
// Client.With do not change the session of the client they began with.
func (c *config) tenant() *session {
	if !c.ownSession {
		c.session, c.ownSession = &session{}, true
	}
	return c.session
}

// isHeaderText reports whether s is visible ASCII without spaces.
func isHeaderText(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// version names this package and, in a program that was built with modules,
// its version.
func version() string {
	const module = "github.com/orgd/orgd/sdk/go"
	v := "devel"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == module && isHeaderText(m.Version) && m.Version != "(devel)" {
				v = m.Version
			}
		}
	}
	return "orgd-go/" + v
}
