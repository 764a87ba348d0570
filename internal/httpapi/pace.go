package httpapi

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/orgd/orgd/internal/fair"
)

// What a client has to send or to take, and in what time of waiting for it: a connection
// on which less moves is one that nobody uses, or that somebody wants to keep busy. What
// orgd itself takes in between does not count.
const (
	// bodyTimeout is for bodies, streamTimeout for streams and for answers.
	bodyTimeout   = 20 * time.Second
	streamTimeout = 30 * time.Second
	// leastPace is how many bytes have to move in it: a body of less has to come whole.
	leastPace = 16 << 10
	// holdPace: and a sixteenth of what memory the request holds, so that nobody holds
	// any for longer than 16 times as long by being slow.
	holdPace = 16
)

// A pace is the time that a client has, and how it uses it.
type pace struct {
	timeout time.Duration
	memory  *hold
	left    time.Duration // of the time for what has to move next
	moved   int           // of that
}

func newPace(timeout time.Duration, memory *hold) pace {
	return pace{timeout: timeout, memory: memory, left: timeout}
}

// move accounts for n bytes that moved in some time.
func (p *pace) move(n int, took time.Duration) {
	p.left -= took
	if p.moved += n; p.moved >= max(leastPace, p.memory.held()/holdPace) {
		p.moved, p.left = 0, p.timeout
	}
}

// A pacedReader ends with an error when too little comes.
type pacedReader struct {
	body    io.Reader
	control *http.ResponseController
	pace
	turns readTurns

	ended   bool
	givenUp atomic.Bool
}

// newPacedReader reads a body in turns of the request's, whose context it is. The memory is
// what the request holds.
func newPacedReader(ctx context.Context, body io.Reader, control *http.ResponseController, timeout time.Duration, memory *hold, turn *fair.Turn) *pacedReader {
	return &pacedReader{body: body, control: control, pace: newPace(timeout, memory),
		turns: readTurns{ctx: ctx, turn: turn, conn: connectionOf(ctx)}}
}

// Read implements io.Reader.
func (p *pacedReader) Read(b []byte) (int, error) {
	p.turns.begin()
	defer p.turns.end()
	began := time.Now()
	_ = p.control.SetReadDeadline(began.Add(p.left)) // a writer without deadlines is a test's
	if p.givenUp.Load() {
		p.hurry()
	}
	n, err := p.body.Read(b)
	p.move(n, time.Since(began))
	if p.ended = err == io.EOF; p.ended {
		_ = p.control.SetReadDeadline(noDeadline) // it would end the request's context
	}
	return n, err
}

// What a client may still send that is told in the middle why it need not. If the
// connection were closed at once, it might never see the answer.
const (
	lastWords      = 2 * time.Second
	lastWordsBytes = 8 << 20
)

// giveUp makes a Read in progress, and those to come, end soon.
func (p *pacedReader) giveUp() {
	p.givenUp.Store(true)
	p.hurry()
}

func (p *pacedReader) hurry() {
	_ = p.control.SetReadDeadline(time.Now().Add(min(lastWords, p.timeout)))
}

// drain reads on for nobody.
func (p *pacedReader) drain() {
	p.turns = readTurns{}
	if !p.ended {
		_, _ = io.CopyN(io.Discard, p, lastWordsBytes)
	}
}

// noDeadline lifts one.
var noDeadline time.Time
