package httpapi

import (
	"sync"
	"time"

	"github.com/orgd/orgd/internal/org"
)

// DefaultBudget is the default of a Budget's size, in bytes.
const DefaultBudget = 256 << 20

// LargestRequest is the most that one request needs, in bytes: a document of 32 MiB of
// text, and what reading it takes. No share is smaller, or it could never be served.
const LargestRequest = 97 << 20

// A Budget is the memory, in bytes, that clients can make this process hold: heads and
// bodies that come in, documents on their way to and from the storage, answers until they
// are taken. Whatever holds memory whose size a client decides takes it from here first,
// and is refused where there is none: it never waits, so nobody who holds some waits for
// somebody else who does.
//
// Everybody has a share: an organization a quarter, all strangers together an eighth. And
// nobody gets more than is left for others then, so that however many there are who want
// all they can get, something is left for who comes later.
type Budget struct {
	limit int

	mu   sync.Mutex
	used int
	has  map[string]int // by holder, without those who have nothing
}

// NewBudget makes one of that many bytes; 0 is DefaultBudget.
func NewBudget(bytes int) *Budget {
	if bytes <= 0 {
		bytes = DefaultBudget
	}
	return &Budget{limit: bytes, has: map[string]int{}}
}

// Who holds memory: an organization by its id, or one of these, which are no ids.
const (
	strangers   = "strangers"
	theOperator = "operator"
)

// Used is how many bytes are taken.
func (b *Budget) Used() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

func (b *Budget) share(who string) int {
	if who == strangers {
		return b.limit / 8
	}
	return max(b.limit/4, LargestRequest)
}

// take reports whether there was so much left for that holder.
func (b *Budget) take(who string, bytes int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	has := b.has[who] + bytes
	if has > b.share(who) || has > b.limit-b.used-bytes {
		return false
	}
	b.has[who], b.used = has, b.used+bytes
	return true
}

func (b *Budget) give(who string, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= bytes
	if b.has[who] -= bytes; b.has[who] == 0 {
		delete(b.has, who)
	}
}

// allowance is what every request may hold beside the budget, in bytes: what is no larger
// is bounded by the number of connections, and works however much others take.
const allowance = 16 << 10

// A hold is what one request has of a budget. Its methods may be called from several
// goroutines. One without a budget, which only a test of a part can have, takes whatever
// it is asked for.
type hold struct {
	budget *Budget

	mu    sync.Mutex
	who   string
	bytes int // what the request holds
	floor int // what stays taken even if it holds less
	taken int // what of that is the budget's
	ended bool
}

// begin says whose hold it is, and of which budget.
func (h *hold) begin(b *Budget, who string) { h.budget, h.who = b, who }

var errNoMemory = &org.Error{Kind: org.Unavailable, RetryAfter: 2 * time.Second,
	Message: "There is no memory left for this at the moment: too much is under way. Try again in a moment."}

// take takes memory before it is used; errNoMemory if there is none left. After the end
// of the request it takes nothing: what goes on then is bounded by other means.
func (h *hold) take(bytes int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.set(h.bytes+bytes, h.floor)
}

// give gives back what was taken.
func (h *hold) give(bytes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.set(h.bytes-bytes, h.floor) // which takes nothing
}

// keep takes at least so much until the end: up to that, take cannot fail from now on.
func (h *hold) keep(bytes int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.set(h.bytes, max(h.floor, bytes))
}

func (h *hold) set(bytes, floor int) error {
	want := max(bytes, floor)
	if want <= allowance {
		want = 0
	}
	switch {
	case h.ended, h.budget == nil:
		return nil
	case want > h.taken && !h.budget.take(h.who, want-h.taken):
		return errNoMemory
	case want < h.taken:
		h.budget.give(h.who, h.taken-want)
	}
	h.bytes, h.floor, h.taken = bytes, floor, want
	return nil
}

// held is how many bytes the request holds.
func (h *hold) held() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bytes
}

// become says whose request it turned out to be, of which nothing was read before.
func (h *hold) become(who string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken == 0 {
		h.who = who
	}
}

// end gives everything back.
func (h *hold) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.set(0, 0)
	h.ended = true
}
