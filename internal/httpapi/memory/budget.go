// Package memory counts what clients make the process hold: one budget of bytes for all
// requests, of which every organization has a share, and a hold for what one request has of
// it. Memory is taken from the budget before it is used, and refused where there is none.
package memory

import (
	"sync"
	"time"

	"github.com/orgd/orgd/internal/org"
)

// DefaultSize is the default of a Budget's size, in bytes.
const DefaultSize = 256 << 20

// LargestRequest is the most that one request needs, in bytes: a document of 32 MiB of
// text, and what reading it takes. No share is smaller, or such a request could never be served.
const LargestRequest = 97 << 20

// A Budget is the memory, in bytes, that clients can make this process hold: heads and
// bodies that come in, documents on their way to and from the storage, answers until they
// are taken. Code that holds memory whose size a client decides takes it from here first,
// and is refused where there is none. A request never waits for memory, so no two that hold
// some can wait for each other.
//
// Each holder has a share: an organization a quarter, all strangers together an eighth. And
// no holder gets more than is left for the others then: however many holders want all they
// can get, something is left for the next.
type Budget struct {
	limit int

	mu   sync.Mutex
	used int
	has  map[string]int // by holder, without those that have nothing
}

// NewBudget makes a budget of that many bytes; 0 is DefaultSize.
func NewBudget(bytes int) *Budget {
	if bytes <= 0 {
		bytes = DefaultSize
	}
	return &Budget{limit: bytes, has: map[string]int{}}
}

// The holders of memory: an organization by its id, or these, which are no ids.
const (
	Strangers = "strangers"
	Operator  = "operator"
)

// Used is how many bytes are taken.
func (b *Budget) Used() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

func (b *Budget) share(holder string) int {
	if holder == Strangers {
		return b.limit / 8
	}
	return max(b.limit/4, LargestRequest)
}

// take takes memory for a holder, and reports whether there was enough left for it.
func (b *Budget) take(holder string, bytes int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	has := b.has[holder] + bytes
	if has > b.share(holder) || has > b.limit-b.used-bytes {
		return false
	}
	b.has[holder], b.used = has, b.used+bytes
	return true
}

func (b *Budget) give(holder string, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= bytes
	if b.has[holder] -= bytes; b.has[holder] == 0 {
		delete(b.has, holder)
	}
}

// allowance is what every request may hold beside the budget, in bytes: the number of
// connections bounds it, and small requests work however much others take.
const allowance = 16 << 10

// A Hold is what one request has of a budget. Its methods may be called from several
// goroutines. A hold that has not begun, which only a test can have, grants all that is
// asked of it.
type Hold struct {
	budget *Budget

	mu     sync.Mutex
	holder string
	bytes  int // what the request holds
	floor  int // what stays taken even if it holds less
	taken  int // what of that is the budget's
	ended  bool
}

// Begin says of which budget the hold is, and of which holder.
func (h *Hold) Begin(b *Budget, holder string) { h.budget, h.holder = b, holder }

// ErrExhausted is the refusal of a request for which there is no memory left.
var ErrExhausted = &org.Error{Kind: org.Unavailable, RetryAfter: 2 * time.Second,
	Message: "There is no memory left for this at the moment: too much is under way. Try again in a moment."}

// Take takes memory before it is used; ErrExhausted if there is none left. After the end
// of the request it takes nothing: what goes on then is bounded by other means.
func (h *Hold) Take(bytes int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.set(h.bytes+bytes, h.floor)
}

// Give gives back what was taken.
func (h *Hold) Give(bytes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.set(h.bytes-bytes, h.floor) // which takes nothing
}

// Keep takes at least so much until the end: up to that, Take cannot fail from now on.
func (h *Hold) Keep(bytes int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.set(h.bytes, max(h.floor, bytes))
}

func (h *Hold) set(bytes, floor int) error {
	want := max(bytes, floor)
	if want <= allowance {
		want = 0
	}
	switch {
	case h.ended, h.budget == nil:
		return nil
	case want > h.taken && !h.budget.take(h.holder, want-h.taken):
		return ErrExhausted
	case want < h.taken:
		h.budget.give(h.holder, h.taken-want)
	}
	h.bytes, h.floor, h.taken = bytes, floor, want
	return nil
}

// Held is how many bytes the request holds.
func (h *Hold) Held() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bytes
}

// Become says whose request it turned out to be. Of a request that holds memory already the
// holder stays the same.
func (h *Hold) Become(holder string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken == 0 {
		h.holder = holder
	}
}

// End gives everything back.
func (h *Hold) End() {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.set(0, 0)
	h.ended = true
}
