package embedded

import (
	"time"

	"github.com/orgd/orgd/internal/docdb/embedded/disk"
)

// keepInterval is how often the mark is written, and the ballast looked after.
const keepInterval = time.Second

// keep looks after what costs the calls nothing, until the engine is closed or has failed.
func (e *Engine) keep() {
	defer close(e.kept)
	ticker := time.NewTicker(keepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			e.tend()
		case <-e.health.Stopping:
			return
		case <-e.health.Failed:
			return
		}
	}
}

func (e *Engine) tend() {
	if err := e.health.Marker.Save(); err != nil && !disk.IsFull(err) { // the mark before it holds as well
		e.health.Background(err)
	}
	if err := e.health.Space.Tend(); err != nil && !disk.IsFull(err) {
		e.health.Background(err)
	}
}
