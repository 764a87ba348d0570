package orgd

import (
	"context"

	"github.com/orgd/orgd/sdk/go/client"
)

// Login exchanges an e-mail address and a password for a token. It does not
// change c: give [WithToken] or, to log in again by itself, [WithLogin] to New
// or With.
func (c *Client) Login(ctx context.Context, email, password string) (*Token, error) {
	return Decode[Token](c.api.Login(ctx, client.LoginRequest{Email: email, Password: password}))
}
