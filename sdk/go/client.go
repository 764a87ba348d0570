package orgd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/orgd/orgd/sdk/go/client"
	"github.com/orgd/orgd/sdk/go/internal/credential"
	"github.com/orgd/orgd/sdk/go/internal/problem"
	"github.com/orgd/orgd/sdk/go/internal/transport"
)

// A Client speaks to one orgd server. It is safe for use by many goroutines.
type Client struct {
	config config
	api    *client.ClientWithResponses
}

// New returns a client of the server at an address such as
// "https://orgd.example", with a path if a proxy adds one. New sends nothing.
func New(baseURL string, opts ...Option) (*Client, error) {
	base, err := transport.ParseBase(baseURL)
	if err != nil {
		return nil, err
	}
	return build(config{doer: transport.Doer{
		Base: base, HTTP: transport.NewHTTPClient(), UserAgent: transport.Version(), Retries: defaultRetries, Errors: answerErrors{},
	}}, opts)
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
// others leave its body to the caller, for [Decode], [Lines] or to copy it. An
// Authorization header that a RequestEditorFn adds is kept.
func (c *Client) API() *client.ClientWithResponses { return c.api }

// String names the server.
func (c *Client) String() string { return "orgd.Client(" + c.config.doer.Base.String() + ")" }

// GoString is String, so that no verb of package fmt shows more.
func (c *Client) GoString() string { return c.String() }

// Login exchanges an e-mail address and a password for a token. It does not
// change c: to use the token give [WithToken] to New or With; a client made with
// [WithLogin] logs in on its own.
func (c *Client) Login(ctx context.Context, email, password string) (*Token, error) {
	return Decode[Token](c.api.Login(ctx, client.LoginRequest{Email: email, Password: password}))
}

// Live returns nil when the server's process answers. It sends one request.
func (c *Client) Live(ctx context.Context) error {
	_, err := Decode[client.Health](c.api.GetLiveness(ctx))
	return err
}

// Ready returns nil when the server can serve requests, [ErrUnavailable] when
// its storage does not answer. It sends one request.
func (c *Client) Ready(ctx context.Context) error {
	_, err := Decode[client.Health](c.api.GetReadiness(ctx))
	return err
}

func build(cfg config, opts []Option) (*Client, error) {
	for _, o := range opts {
		if err := o(&cfg); err != nil {
			return nil, err
		}
	}
	c := &Client{}
	if cfg.account.Email != "" || cfg.token != nil {
		cfg.doer.Session = credential.NewSession(cfg.account, cfg.token, c.login, ErrBadCredentials)
		cfg.account, cfg.token = credential.Account{}, nil
	}
	api, err := client.NewClientWithResponses(cfg.doer.Base.String(), client.WithHTTPClient(&cfg.doer))
	if err != nil {
		return nil, fmt.Errorf("orgd: %w", err)
	}
	c.config, c.api = cfg, api
	return c, nil
}

// login is the session's Login.
func (c *Client) login(ctx context.Context, email, password string) (credential.Token, error) {
	t, err := c.Login(ctx, email, password)
	if err != nil {
		return credential.Token{}, err
	}
	return credential.Token{Text: t.AccessToken, Lifetime: time.Duration(t.ExpiresIn) * time.Second}, nil
}

// answerErrors implements transport.Errors by the package's own errors.
type answerErrors struct{}

// Problem implements transport.Errors.
func (answerErrors) Problem(req *http.Request, path string, p *problem.Problem) error {
	return errorOf(req, path, p)
}

// Uncertain implements transport.Errors. An ErrOutcomeUnknown stays as it is.
func (answerErrors) Uncertain(err error) error {
	if errors.Is(err, ErrOutcomeUnknown) {
		return err
	}
	return &uncertain{err}
}
