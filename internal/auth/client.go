package auth

import (
	"context"
	"net/netip"
)

// A Client is the client for which a password is hashed or checked. It decides when that is
// done where many wait, and nothing of the answer.
type Client struct {
	Address  netip.Addr
	Standing Standing
}

// Standing is what is known of a Client.
type Standing int

// The standings, in the order in which clients are served.
const (
	// Known is a client that has given the right password for this account from the same
	// network before.
	Known Standing = iota
	// Stranger is any other client.
	Stranger
	// Suspect is a Stranger that asks for an account whose password many clients are guessing.
	Suspect

	standings
)

type clientKey struct{}

// WithClient says for which client passwords are hashed and checked in that context. Without it
// that is a Stranger at no address.
func WithClient(ctx context.Context, c Client) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

func clientOf(ctx context.Context) Client {
	if c, ok := ctx.Value(clientKey{}).(Client); ok {
		return c
	}
	return Client{Standing: Stranger}
}

// networksOf are the networks that an address is in, the widest first. The owner of a
// network has all networks within it: so a network is given its turn as a whole, and within
// that turn the next. An IPv6 client has a /64 at least, a site a /48, a provider a /32.
func networksOf(a netip.Addr) []netip.Prefix {
	a = a.Unmap()
	lengths := [...]int{0, 16, 24, 32}
	if a.Is6() {
		lengths = [...]int{0, 32, 48, 64}
	}
	networks := make([]netip.Prefix, len(lengths))
	for i, bits := range lengths {
		networks[i], _ = a.Prefix(bits) // none for no address
	}
	return networks
}
