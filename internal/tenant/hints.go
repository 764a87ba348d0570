package tenant

import "sync"

// hints remember who had a key, a name or an address, when this process last looked, so that the
// next look can begin with reading whom the hint names: whether the key is theirs now, they say
// themselves. A hint that is out of date costs a message.
type hints[V any] struct {
	mu  sync.Mutex
	had map[string]V
}

// maxHints bounds the hints, of some hundred bytes each. Beyond it, any of them makes room.
const maxHints = 1 << 14

func (h *hints[V]) of(key string) (V, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v, ok := h.had[key]
	return v, ok
}

func (h *hints[V]) note(key string, v V) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.had == nil {
		h.had = map[string]V{}
	}
	if _, ok := h.had[key]; !ok && len(h.had) >= maxHints {
		for other := range h.had {
			delete(h.had, other)
			break
		}
	}
	h.had[key] = v
}
