package orgd

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/orgd/orgd/sdk/go/client"
)

// A Client speaks to one orgd server. It is safe for use by many goroutines.
type Client struct {
	config config
	api    *client.ClientWithResponses
}

// config is what the options set. A client of a client has a copy.
type config struct {
	base        *url.URL // its path ends with a slash
	http        *http.Client
	userAgent   string
	retries     int
	operatorKey secret
	session     *session // nil: anonymous
	ownSession  bool     // session is of these options, not of the client they began with
}

// New returns a client of the server at an address such as
// "https://orgd.example", which may have a path when a proxy serves orgd under
// one. Nothing is sent yet.
func New(baseURL string, opts ...Option) (*Client, error) {
	base, err := parseBase(baseURL)
	if err != nil {
		return nil, err
	}
	return build(config{base: base, http: newHTTPClient(), userAgent: version(), retries: defaultRetries}, opts)
}

// With returns a client of the same server that differs in the options given
// and shares the rest with c: its connections and, unless an option is a
// tenant's credential, its login. An anonymous client thus becomes the client of
// the organization that it just created:
//
//	admin, err := c.With(orgd.WithLogin(email, password))
func (c *Client) With(opts ...Option) (*Client, error) { return build(c.config, opts) }

// API returns the generated client, which has a method for every operation of
// the contract. Its calls log in, try again and fail just as those of Client do:
// an answer other than a success is an [*Error], never a response with a problem
// in it. The methods whose names end in WithResponse read the whole answer; the
// others leave its body to the caller, for [Decode], [Lines] or to copy it. A
// request that comes with its own Authorization header, from a RequestEditorFn,
// keeps it.
func (c *Client) API() *client.ClientWithResponses { return c.api }

// String names the server.
func (c *Client) String() string { return "orgd.Client(" + c.config.base.String() + ")" }

// GoString is String, so that no verb of package fmt shows more.
func (c *Client) GoString() string { return c.String() }

func build(cfg config, opts []Option) (*Client, error) {
	cfg.ownSession = false
	for _, o := range opts {
		if err := o(&cfg); err != nil {
			return nil, err
		}
	}
	api, err := client.NewClientWithResponses(cfg.base.String(), client.WithHTTPClient(&doer{cfg}))
	if err != nil {
		return nil, fmt.Errorf("orgd: %w", err)
	}
	c := &Client{cfg, api}
	if cfg.ownSession {
		cfg.session.login = c.Login
	}
	return c, nil
}

// parseBase reads an address. Its errors leave the address out: people write
// passwords into them.
func parseBase(address string) (*url.URL, error) {
	base, err := url.Parse(address)
	if invalid, ok := asType[*url.Error](err); ok {
		err = invalid.Err
	}
	switch {
	case err != nil:
		return nil, errors.New("orgd: the server's address is not a URL")
	case base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "":
		return nil, errors.New("orgd: the server's address does not begin with http:// or https:// and a host")
	case base.User != nil:
		return nil, errors.New("orgd: credentials do not belong in the server's address; use WithLogin or WithToken")
	case base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("orgd: the server's address has a query or a fragment")
	}
	if !strings.HasSuffix(base.Path, "/") {
		base = base.JoinPath("/")
	}
	return base, nil
}

// newHTTPClient returns http.DefaultClient, with more connections to the one
// host it is for.
func newHTTPClient() *http.Client {
	c := &http.Client{CheckRedirect: dontFollow}
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t = t.Clone()
		t.MaxIdleConnsPerHost = t.MaxIdleConns
		c.Transport = t
	}
	return c
}

// dontFollow: what net/http repeats at the new address includes bodies with
// passwords, and the token where only port or scheme differ.
func dontFollow(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
