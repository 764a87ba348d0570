package httpapi

import (
	"sync/atomic"
	"time"
)

// A clock that stands still until it is set.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time { return noon.Add(time.Duration(c.at.Load())) }

func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }
