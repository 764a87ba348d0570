package orgd

import (
	"errors"
	"net/http"
	"strings"

	"github.com/orgd/orgd/sdk/go/internal/credential"
	"github.com/orgd/orgd/sdk/go/internal/transport"
)

// An Option is a setting of a [Client], for [New] and [Client.With].
type Option func(*config) error

const (
	defaultRetries = 3
	maxRetries     = 100
)

// config is what the options set. With begins with a copy of the client's.
type config struct {
	doer transport.Doer
	// account and token, unless they are empty, get a session of their own: options of
	// Client.With do not change the session of the client that they began with.
	account credential.Account
	token   credential.Secret
}

// WithLogin makes the client act as an admin: it logs in when it first needs a token
// and again when the token expires or is revoked. Together with [WithToken] it
// begins with that token. After a [Client.UpdateOrganization] that changes the
// e-mail address or the password the client uses the new one.
func WithLogin(email, password string) Option {
	return func(c *config) error {
		if email == "" || password == "" {
			return errors.New("orgd: WithLogin needs an e-mail address and a password")
		}
		c.account = credential.Account{Email: email, Password: credential.Hide(password)}
		return nil
	}
}

// WithToken makes the client use an access_token of [Client.Login].
func WithToken(token string) Option {
	return func(c *config) error {
		if !transport.IsHeaderText(token) {
			return errors.New("orgd: WithToken: not a token")
		}
		c.token = credential.Hide(token)
		return nil
	}
}

// WithOperatorKey sends the operator's key, as a bearer token, with requests to
// paths that begin with /operator/, and with no others.
func WithOperatorKey(key string) Option {
	return func(c *config) error {
		if !transport.IsHeaderText(key) {
			return errors.New("orgd: WithOperatorKey: not a key that a header can carry")
		}
		c.doer.OperatorKey = credential.Hide(key)
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
		c.doer.HTTP = transport.WithoutRedirects(h)
		return nil
	}
}

// WithUserAgent puts a program's name, such as "billing/1.4", before this
// package's in the User-Agent header.
func WithUserAgent(product string) Option {
	return func(c *config) error {
		if !transport.IsHeaderText(strings.ReplaceAll(product, " ", "_")) {
			return errors.New("orgd: WithUserAgent: not a name that a header can carry")
		}
		c.doer.UserAgent = product + " " + transport.Version()
		return nil
	}
}

// WithRetries sets how often a call is tried again when that may help. The
// default is 3; 0 means not at all.
func WithRetries(n int) Option {
	return func(c *config) error {
		if n < 0 || n > maxRetries {
			return errors.New("orgd: WithRetries: not from 0 to 100")
		}
		c.doer.Retries = n
		return nil
	}
}

// A CreateOption is a setting of one call that creates something.
type CreateOption func(*create)

type create struct{ key *string }

// WithIdempotencyKey names the request, so that the server carries it out once
// however often it is sent within 24 hours: a request that is sent again gets the
// first answer. The key is a random text of 1 to 255 visible ASCII characters, such
// as a UUID, and belongs to one request: with another the call fails with
// [ErrIdempotencyKeyReused].
//
// Without this option the client draws a key for every call, and uses it for its
// retries. A key of your own lets a program that was stopped repeat the call safely:
// store the key before the call.
func WithIdempotencyKey(key string) CreateOption {
	return func(c *create) { c.key = &key }
}

// keyOf returns the key of a call, nil if the client is to draw a key.
func keyOf(opts []CreateOption) *string {
	var c create
	for _, o := range opts {
		o(&c)
	}
	return c.key
}
