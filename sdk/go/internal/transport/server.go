package transport

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// ParseBase reads a server's address. Its errors leave the address out: people write
// passwords into them.
func ParseBase(address string) (*url.URL, error) {
	base, err := url.Parse(address)
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

// NewHTTPClient returns a client like http.DefaultClient, with more idle connections, as
// all go to one host, and without redirects.
func NewHTTPClient() *http.Client {
	c := &http.Client{CheckRedirect: refuseRedirect}
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t = t.Clone()
		t.MaxIdleConnsPerHost = t.MaxIdleConns
		c.Transport = t
	}
	return c
}

// WithoutRedirects returns a copy of an HTTP client that does not follow redirects.
func WithoutRedirects(h *http.Client) *http.Client {
	own := *h
	own.CheckRedirect = refuseRedirect
	return &own
}

// refuseRedirect returns the redirect as the answer. What net/http repeats at the new
// address includes bodies with passwords, and the token where only port or scheme differ.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
