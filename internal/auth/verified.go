package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

// verified remembers, by their digests, tokens of which the signature and all else that does not
// change was found good: to parse a token and to check it costs as much as a sixth of a small
// request. Only clients that were given tokens can fill it. What changes with time is
// checked every time.
type verified struct {
	mu sync.Mutex
	// recent are the last tokens, and earlier those before them; past maxVerified tokens
	// recent becomes earlier, and earlier is forgotten.
	recent, earlier map[digest]goodToken
}

type digest = [sha256.Size]byte

// goodToken is what a token says, and when it is good: from, before until.
type goodToken struct {
	claims      Claims
	from, until time.Time
}

// maxVerified bounds the memory of verified: of two times as many tokens, of about 300 bytes
// each.
const maxVerified = 4096

// find returns the claims of a token that is known, if it is good now.
func (v *verified) find(token digest, now time.Time) (Claims, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	good, ok := v.recent[token]
	if !ok {
		if good, ok = v.earlier[token]; ok {
			v.keep(token, good)
		}
	}
	return good.claims, ok && !now.Before(good.from) && now.Before(good.until)
}

func (v *verified) remember(token digest, good goodToken) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keep(token, good)
}

// keep is called with the lock.
func (v *verified) keep(token digest, good goodToken) {
	if v.recent == nil || len(v.recent) >= maxVerified {
		v.recent, v.earlier = map[digest]goodToken{}, v.recent
	}
	v.recent[token] = good
}
