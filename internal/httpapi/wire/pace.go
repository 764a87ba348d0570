package wire

import (
	"time"

	"github.com/orgd/orgd/internal/httpapi/memory"
)

// How much a client has to send or to take, and in what time of waiting for it. A connection
// on which less moves is abandoned, or its client wants to keep the server busy. The time that
// orgd itself takes in between does not count.
const (
	// BodyTimeout is the time for bodies.
	BodyTimeout = 20 * time.Second
	// StreamTimeout is the time for streams and for answers.
	StreamTimeout = 30 * time.Second
	// leastPace is how many bytes have to move in that time: a smaller body has to come whole.
	leastPace = 16 << 10
	// holdPace is for requests that hold much memory: a sixteenth of it has to move, so that a
	// slow client keeps memory for 16 times that time at most.
	holdPace = 16
)

// A pace is the time that a client has, and how the client uses it.
type pace struct {
	timeout time.Duration
	memory  *memory.Hold
	left    time.Duration // of the time for the bytes that have to move next
	moved   int           // of those bytes
}

func newPace(timeout time.Duration, held *memory.Hold) pace {
	return pace{timeout: timeout, memory: held, left: timeout}
}

// move accounts for n bytes that moved in some time.
func (p *pace) move(n int, took time.Duration) {
	p.left -= took
	if p.moved += n; p.moved >= max(leastPace, p.memory.Held()/holdPace) {
		p.moved, p.left = 0, p.timeout
	}
}

// noDeadline lifts a deadline.
var noDeadline time.Time
