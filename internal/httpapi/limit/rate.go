// Package limit bounds how often clients may try: rates for many keys, what sign-ups and
// logins count against them, and a delay of the refusals. It is this process's memory: each
// instance counts by itself.
package limit

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/org"
)

// maxKeys bounds the memory of a Rate: two generations of that many keys, of
// about 150 bytes each.
const maxKeys = 1 << 15

// A Rate is a rate limit for each of many keys: so many attempts at once, and as many a
// minute after that. It is safe for concurrent use.
//
// A key that has rested for a minute has its whole allowance back and need not
// be remembered. So there are two generations: a used key is in the current one,
// and what has stayed in the previous one for a minute is dropped with it. When
// more than maxKeys keys come within a minute the generations change sooner,
// which forgives some of them early: under a flood from that many addresses
// bounded memory matters more, and to refuse strangers would do the flood's work.
type Rate struct {
	all, each time.Duration // until a whole allowance is back, and one attempt of it
	now       func() time.Time

	mu                sync.Mutex
	current, previous map[string]time.Time // when a key has its whole allowance back
	since             time.Time            // when current began
}

// NewRate returns nil, which limits nothing, when perMinute is not positive.
func NewRate(perMinute int, now func() time.Time) *Rate {
	if perMinute <= 0 {
		return nil
	}
	each := time.Minute / time.Duration(perMinute)
	return &Rate{all: time.Duration(perMinute) * each, each: each, now: now, current: map[string]time.Time{}, since: now()}
}

// Take uses up one attempt of that key, or refuses it and says when to try again. An attempt
// that is refused uses nothing up.
func (l *Rate) Take(key string) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	back := l.find(key, now)
	if back.Before(now) {
		back = now
	}
	if wait := back.Add(l.each).Sub(now) - l.all; wait > 0 {
		return &org.Error{Kind: org.RateLimited, RetryAfter: wait,
			Message: fmt.Sprintf("Too many attempts. Try again in %s seconds.", problem.RetryAfter(wait))}
	}
	l.current[key] = back.Add(l.each)
	return nil
}

// give gives back what one Take has used up.
func (l *Rate) give(key string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current[key] = l.find(key, l.now()).Add(-l.each)
}

// find takes a key over from the previous generation. The caller holds the lock.
func (l *Rate) find(key string, now time.Time) time.Time {
	if now.Sub(l.since) >= time.Minute || len(l.current) >= maxKeys {
		l.previous, l.current, l.since = l.current, map[string]time.Time{}, now
	}
	if back, ok := l.current[key]; ok {
		return back
	}
	back := l.previous[key]
	l.current[key] = back
	return back
}

// emailKey makes the spellings of one address one key.
func emailKey(email string) string { return strings.ToLower(email) }
