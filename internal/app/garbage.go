package app

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// garbageRoom is how many bytes of garbage gather before they are collected. Go
// lets as much gather as is live; but of an orgd with a few organizations 4 MiB
// are live, so that under load it collected fifty times a second, which cost more
// than a quarter of each GET; and one with 60 MiB, most of them cache, would
// take 60 more.
const garbageRoom = 32 << 20

// Bounds on GOGC, in percent of what is live.
const (
	leastGarbage = 50 // a large heap is not collected all the time either
	mostGarbage  = 1000
)

// roomForGarbage sets GOGC anew after each collection, so that the next one comes
// when garbageRoom is full, until it is stopped. It leaves GOGC alone when the user
// has set it, or a memory limit.
func roomForGarbage() (stop func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	var stopped atomic.Bool
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	before := 100
	var collected func(*cycle)
	collected = func(c *cycle) {
		if stopped.Load() {
			return
		}
		metrics.Read(live)
		percent := percentFor(live[0].Value.Uint64())
		if percent*10 < before*9 || percent*10 > before*11 { // to set it stops the world
			debug.SetGCPercent(percent)
			before = percent
		}
		runtime.SetFinalizer(c, collected)
	}
	// What nothing refers to is finalized by every collection that finds it so.
	runtime.SetFinalizer(new(cycle), collected)
	return func() { stopped.Store(true) }
}

// A cycle is garbage whose finalizer runs after each collection. It holds a
// pointer, because small objects without one share an allocation.
type cycle struct{ _ *cycle }

func percentFor(live uint64) int {
	return int(min(max(garbageRoom*100/max(live, 1), leastGarbage), mostGarbage))
}
