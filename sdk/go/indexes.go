package orgd

import (
	"context"
	"strings"

	"github.com/orgd/orgd/sdk/go/client"
)

// A NewIndex is an index to create.
type NewIndex struct {
	Name string // 1 to 64 letters, digits, _ and -
	// Keys are the paths of the index, in its order; a "-" before a path means
	// descending: "city", "-address.since".
	Keys   []string
	Unique bool // refuse a second document with equal keys: ErrDuplicateKey
}

// Indexes returns the indexes of the organization's documents by name, except the index
// on _id.
func (c *Client) Indexes(ctx context.Context) ([]Index, error) {
	list, err := Decode[client.IndexList](c.api.ListIndexes(ctx))
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// CreateIndex creates an index over all documents; the more documents there are, the
// longer it takes. Creating the same index again changes nothing. If another index has
// the name or the keys, it fails with [ErrIndexExists]; if the index is unique and two
// documents have the same key, with [ErrDuplicateKey].
func (c *Client) CreateIndex(ctx context.Context, n NewIndex) (*Index, error) {
	body := client.IndexCreate{Name: n.Name, Unique: &n.Unique}
	for _, key := range n.Keys {
		order := client.Asc
		path, down := strings.CutPrefix(key, "-")
		if down {
			order = client.Desc
		}
		body.Keys = append(body.Keys, client.IndexKey{Path: path, Order: &order})
	}
	return Decode[Index](c.api.CreateIndex(ctx, body))
}

// DeleteIndex removes an index. The documents stay.
func (c *Client) DeleteIndex(ctx context.Context, name string) error {
	return discard(c.api.DeleteIndex(ctx, name))
}

// Stats counts the organization's documents and their size.
func (c *Client) Stats(ctx context.Context) (*Stats, error) {
	return Decode[Stats](c.api.GetStats(ctx))
}
