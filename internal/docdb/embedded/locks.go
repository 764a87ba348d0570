package embedded

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"
)

// locks are the keys of one collection that writes hold: of documents, and of
// entries of unique indexes. A write claims all keys that it checks at one moment,
// before the check, and holds them until it is on disk. Keys go to those who wait for them in
// the order in which they came, so that no two writes wait for each other. Nothing here is
// shared by collections: however many keys a write has, only its own collection's wait.
//
// Keys stand here by their hash of 64 bits. Two that share one wait for each other in
// vain, which nobody will see.
type locks struct {
	mu   sync.Mutex
	keys map[uint64]keyLock
	most int // keys that there were at a time
}

// A keyLock is a key that somebody holds.
type keyLock struct {
	owner *hold
	next  []*hold // who wait for it, in their order
}

// A hold is the keys of one write. Its fields are guarded by locks.mu.
type hold struct {
	keys  []uint64
	waits int           // keys that others still own
	ready chan struct{} // closed when there are none; nil if there never were
	done  chan struct{} // closed when it has ended; nil while nobody waits for that
}

// hashOf is a key as it stands in locks.
func (e *Engine) hashOf(key []byte) uint64 { return maphash.Bytes(e.seed, key) }

// lock waits until it holds all of the keys, or the context ends.
func (l *locks) lock(ctx context.Context, keys []uint64) (*hold, error) {
	h := l.claim(keys)
	if h.ready == nil {
		return h, nil
	}
	select {
	case <-h.ready:
		return h, nil
	case <-ctx.Done():
		l.unlock(h)
		return nil, ctx.Err()
	}
}

func (l *locks) claim(keys []uint64) *hold {
	h := &hold{keys: keys}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys == nil {
		l.keys = make(map[uint64]keyLock)
	}
	for _, key := range keys {
		k, held := l.keys[key]
		switch {
		case !held:
			l.keys[key] = keyLock{owner: h}
		case k.owner == h || len(k.next) > 0 && k.next[len(k.next)-1] == h: // it is there twice
		default:
			k.next = append(k.next, h)
			l.keys[key] = k
			h.waits++
		}
	}
	if l.most = max(l.most, len(l.keys)); h.waits > 0 {
		h.ready = make(chan struct{})
	}
	return h
}

// unlock gives up a hold, whether it has all its keys or not.
func (l *locks) unlock(h *hold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range h.keys {
		if k, held := l.keys[key]; held {
			l.giveUp(key, k, h)
		}
	}
	if h.done != nil {
		close(h.done)
	}
	const large = 1 << 10 // a map never shrinks
	if len(l.keys) == 0 && l.most > large {
		l.keys, l.most = nil, 0
	}
}

func (l *locks) giveUp(key uint64, k keyLock, h *hold) {
	switch {
	case k.owner != h:
		k.next = slices.DeleteFunc(k.next, func(other *hold) bool { return other == h })
		l.keys[key] = k
	case len(k.next) == 0:
		delete(l.keys, key)
	default:
		k.owner, k.next = k.next[0], k.next[1:]
		l.keys[key] = k
		if k.owner.waits--; k.owner.waits == 0 {
			close(k.owner.ready)
		}
	}
}

// settle waits for the write in progress to a key, if there is one. Pebble makes a write
// visible before it is on disk: what was read of the key before may not be told earlier.
func (l *locks) settle(ctx context.Context, key uint64) error {
	l.mu.Lock()
	h := l.keys[key].owner
	if h == nil || h.waits > 0 { // who still waits for a key has written nothing
		l.mu.Unlock()
		return nil
	}
	if h.done == nil {
		h.done = make(chan struct{})
	}
	l.mu.Unlock()
	select {
	case <-h.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
