// Package locks keeps writes and reads of one collection apart: the keys that writes hold
// (Table), and the commits that readers may see before they are on disk (Commits).
package locks

import (
	"context"
	"slices"
	"sync"
)

// A Table is the keys of one collection that writes hold: of documents, and of
// entries of unique indexes. A write claims all keys that it checks at one moment,
// before the check, and holds them until it is on disk. Writes get a key in the order in
// which they asked for it, so that no two writes wait for each other. Nothing here is
// shared by collections: however many keys a write has, only its own collection's wait.
//
// Keys stand here by their hash of 64 bits. Two that share a hash wait for each other in
// vain, which is too rare to be noticed.
type Table struct {
	mu   sync.Mutex
	keys map[uint64]keyLock
	most int // keys that there were at a time
}

// A keyLock is a key that a write holds.
type keyLock struct {
	owner *Hold
	next  []*Hold // the holds that wait for it, in their order
}

// A Hold is the keys of one write. Its fields are guarded by Table.mu.
type Hold struct {
	keys  []uint64
	waits int           // keys that others still own
	ready chan struct{} // closed when there are none; nil if there never were
	done  chan struct{} // closed when it has ended; nil while nothing waits for that
}

// Len is how many keys are held.
func (l *Table) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.keys)
}

// Lock waits until it holds all of the keys, or the context ends.
func (l *Table) Lock(ctx context.Context, keys []uint64) (*Hold, error) {
	h := l.claim(keys)
	if h.ready == nil {
		return h, nil
	}
	select {
	case <-h.ready:
		return h, nil
	case <-ctx.Done():
		l.Unlock(h)
		return nil, ctx.Err()
	}
}

func (l *Table) claim(keys []uint64) *Hold {
	h := &Hold{keys: keys}
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

// Unlock gives up a hold, whether it has all its keys or not.
func (l *Table) Unlock(h *Hold) {
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

func (l *Table) giveUp(key uint64, k keyLock, h *Hold) {
	switch {
	case k.owner != h:
		k.next = slices.DeleteFunc(k.next, func(other *Hold) bool { return other == h })
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

// Settle waits for the write in progress to a key, if there is one. Pebble makes a write
// visible before it is on disk: what was read of the key before may not be told earlier.
func (l *Table) Settle(ctx context.Context, key uint64) error {
	l.mu.Lock()
	h := l.keys[key].owner
	if h == nil || h.waits > 0 { // a write that still waits for a key has written nothing
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
