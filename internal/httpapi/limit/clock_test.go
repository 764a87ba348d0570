package limit

import (
	"sync/atomic"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// A clock that stands still until it is set.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return noon.Add(time.Duration(c.at.Load())) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }
