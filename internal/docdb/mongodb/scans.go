package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/orgd/orgd/internal/docdb/meter"
	"github.com/orgd/orgd/internal/fair"
)

// A scan keeps a connection for as long as the server takes to answer. Those of clients have
// half of the pool, and collections take turns at it: the rest is left to single documents,
// so that nobody's scans are in the way of another's gets.

// defaultPool is the driver's maxPoolSize.
const defaultPool = 100

// newScans returns the places for scans.
func newScans(opts *options.ClientOptions) *fair.Queue {
	pool := uint64(defaultPool)
	if opts.MaxPoolSize != nil && *opts.MaxPoolSize > 0 { // 0 is a pool without a limit
		pool = *opts.MaxPoolSize
	}
	return fair.NewQueue(int(max(pool/2, 1)), 0)
}

// scan waits until the collection may ask for something that may take long. What has no
// turns is not a client's, and does not wait. leave is called when the server has answered.
func (c *collection) scan(ctx context.Context) (leave func(), err error) {
	if !meter.HasTurns(ctx) {
		return func() {}, nil
	}
	scans := c.engine().scans
	if err := scans.Enter(ctx, c.ns); err != nil {
		return nil, err
	}
	return scans.Leave, nil
}
