package collection

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/orgd/orgd/internal/docdb/meter"
	"github.com/orgd/orgd/internal/fair"
)

// A scan keeps a connection for as long as the server takes to answer. The scans of clients share
// half of the connection pool, at which collections take turns. The other half is for single
// documents, so that the scans of one organization do not block the reads of another.

// defaultPool is the driver's maxPoolSize.
const defaultPool = 100

// NewScans returns the queue for half of the connection pool.
func NewScans(opts *options.ClientOptions) *fair.Queue {
	pool := uint64(defaultPool)
	if opts.MaxPoolSize != nil && *opts.MaxPoolSize > 0 { // 0 is a pool without a limit
		pool = *opts.MaxPoolSize
	}
	return fair.NewQueue(int(max(pool/2, 1)), 0)
}

// scan waits for a place in the queue for scans. A call without turns is not a client's, and does
// not wait. The caller calls leave when the server has answered.
func (c *Collection) scan(ctx context.Context) (leave func(), err error) {
	if !meter.HasTurns(ctx) {
		return func() {}, nil
	}
	scans := c.shared.Scans
	if err := scans.Enter(ctx, c.Namespace); err != nil {
		return nil, err
	}
	return scans.Leave, nil
}
