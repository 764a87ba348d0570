package limit

import (
	"hash/maphash"
	"slices"
	"sync"
)

// familiar remembers from which networks logins for an e-mail address have succeeded, as
// hashes that only this process can make. It begins empty. It is safe for concurrent use.
//
// For an e-mail address it remembers the last few networks, so that a client with an account
// and many networks cannot have it forget those of others; it remembers two generations of
// e-mail addresses.
type familiar struct {
	seed maphash.Seed

	mu                sync.Mutex
	current, previous map[uint64][]uint64
}

const (
	// familiarEmails is how many e-mail addresses are in a generation, of 150 bytes each.
	familiarEmails = 1 << 15
	// familiarNetworks is how many networks are remembered for each.
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

// find is called with the lock held.
func (f *familiar) find(email uint64) []uint64 {
	if all, ok := f.current[email]; ok {
		return all
	}
	return f.previous[email]
}

func (f *familiar) hash(s string) uint64 { return maphash.String(f.seed, s) }
