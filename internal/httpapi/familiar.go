package httpapi

import (
	"hash/maphash"
	"slices"
	"sync"
)

// familiar remembers from which networks logins for an e-mail address have succeeded, as
// hashes that nobody else can make. It is this process's, and begins empty. It is safe for
// concurrent use.
//
// Of an address it remembers the last few networks, so that nobody with an account and
// many networks can have it forget another's; of the addresses those of two generations.
type familiar struct {
	seed maphash.Seed

	mu                sync.Mutex
	current, previous map[uint64][]uint64
}

const (
	// familiarEmails is how many e-mail addresses are in a generation, of 150 bytes each.
	familiarEmails = 1 << 15
	// familiarNetworks is how many networks are remembered of each.
	familiarNetworks = 8
)

func newFamiliar() familiar {
	return familiar{seed: maphash.MakeSeed(), current: map[uint64][]uint64{}}
}

// has reports whether a login has succeeded.
func (f *familiar) has(email, network string) bool {
	e, n := f.hash(email), f.hash(network)
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.find(e), n)
}

// add remembers that a login has succeeded.
func (f *familiar) add(email, network string) {
	e, n := f.hash(email), f.hash(network)
	f.mu.Lock()
	defer f.mu.Unlock()
	last := f.find(e)
	all := make([]uint64, 1, familiarNetworks)
	all[0] = n
	for _, other := range last {
		if other != n && len(all) < familiarNetworks {
			all = append(all, other)
		}
	}
	if _, ok := f.current[e]; !ok && len(f.current) >= familiarEmails {
		f.previous, f.current = f.current, map[uint64][]uint64{}
	}
	f.current[e] = all
}

// find is called with the lock.
func (f *familiar) find(email uint64) []uint64 {
	if all, ok := f.current[email]; ok {
		return all
	}
	return f.previous[email]
}

func (f *familiar) hash(s string) uint64 { return maphash.String(f.seed, s) }
