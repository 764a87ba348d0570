package tenant

import "sync"

// sightings are the organizations as this process last read them from a shared
// engine. A write may rely on one instead of a reading of its own if this process was
// not drained since: every step of a move that came after the sighting waits for the
// write, then, as it does for all who have entered the gate.
type sightings struct {
	mu    sync.Mutex
	known map[string]sighting // by id
}

type sighting struct {
	o      *organization
	drains uint64 // how many there had been before it was read
}

// maxSightings bounds what they take; past it they are made anew.
const maxSightings = 4096

func (k *sightings) saw(o *organization, drains uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil || len(k.known) >= maxSightings {
		k.known = map[string]sighting{}
	}
	k.known[o.ID] = sighting{o, drains}
}

// of returns the zero sighting if there is none.
func (k *sightings) of(orgID string) sighting {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known[orgID]
}

// good reports whether a write may rely on it that has entered after so many drains.
func (g sighting) good(drains uint64) bool {
	return g.o != nil && g.drains == drains && !g.o.fenced() && usable(g.o) == nil
}

// glimpse returns what was last seen of an organization to begin a read with, or nil.
func (s *Store) glimpse(orgID string) *organization {
	if o := s.seen.of(orgID).o; o != nil && usable(o) == nil {
		return o
	}
	return nil
}
