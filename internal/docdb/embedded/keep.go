package embedded

import "time"

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
		case <-e.health.stopping:
			return
		case <-e.health.failed:
			return
		}
	}
}

func (e *Engine) tend() {
	if err := e.health.marker.save(); err != nil && !isFull(err) { // the mark before it holds as well
		e.health.background(err)
	}
	if err := e.health.space.tend(); err != nil && !isFull(err) {
		e.health.background(err)
	}
}
