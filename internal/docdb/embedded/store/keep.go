package store

import (
	"time"

	"github.com/orgd/orgd/internal/docdb/embedded/disk"
)

// keepInterval is how often the mark is written, and the ballast looked after.
const keepInterval = time.Second

// keep looks after what costs the calls nothing, until the engine is closed or has failed.
func (s *Store) keep() {
	defer close(s.kept)
	ticker := time.NewTicker(keepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.Tend()
		case <-s.Health.Stopping:
			return
		case <-s.Health.Failed:
			return
		}
	}
}

// Tend writes the mark and looks after the ballast: what keep does each keepInterval.
func (s *Store) Tend() {
	if err := s.Health.Marker.Save(); err != nil && !disk.IsFull(err) { // the mark before it holds as well
		s.Health.Background(err)
	}
	if err := s.Health.Space.Tend(); err != nil && !disk.IsFull(err) {
		s.Health.Background(err)
	}
}
