package orgd

import (
	"context"

	"github.com/orgd/orgd/sdk/go/client"
)

// Live returns nil when the server's process answers. It asks once.
func (c *Client) Live(ctx context.Context) error {
	_, err := Decode[client.Health](c.api.GetLiveness(ctx))
	return err
}

// Ready returns nil when the server can serve requests, [ErrUnavailable] when
// its storage does not answer. It asks once.
func (c *Client) Ready(ctx context.Context) error {
	_, err := Decode[client.Health](c.api.GetReadiness(ctx))
	return err
}
