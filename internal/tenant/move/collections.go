package move

import (
	"context"
	"sync/atomic"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/operation"
)

// collections are the source and the target of a move.
type collections struct {
	tenant docdb.Database
	x      *operation.Execution
	// wrap is Mover.Target, and doubt is set when a write to the target got no answer.
	wrap  func(c docdb.Collection, doubt *atomic.Bool) docdb.Collection
	doubt atomic.Bool
}

func (c *collections) source() docdb.Collection { return c.tenant.Collection(c.x.Op.Plan.Source) }

func (c *collections) target() docdb.Collection {
	return c.wrap(c.tenant.Collection(c.x.Op.Plan.Target), &c.doubt)
}

// carryIndexes gives the target the source's indexes and options.
func (c *collections) carryIndexes(ctx context.Context) error {
	return doubtless(&c.doubt, c.tenant.CarryIndexes(ctx, c.x.Op.Plan.Source, c.x.Op.Plan.Target))
}

// doubtful reports whether the move may not flip to the target.
func (c *collections) doubtful() bool { return c.doubt.Load() }
