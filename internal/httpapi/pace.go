package httpapi

import (
	"context"
	"errors"
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
	if p.moved += n; p.moved >= max(leastPace, p.memory.holds()/holdPace) {
		p.moved, p.left = 0, p.timeout
	}
}

// A pacedReader ends with an error when too little comes.
type pacedReader struct {
	body io.Reader
	conn *http.ResponseController
	pace
	turns readTurns

	ended   bool
	givenUp atomic.Bool
}

func newPacedReader(body io.Reader, conn *http.ResponseController, timeout time.Duration, memory *hold) *pacedReader {
	return &pacedReader{body: body, conn: conn, pace: newPace(timeout, memory)}
}

// Read implements io.Reader.
func (p *pacedReader) Read(b []byte) (int, error) {
	p.turns.begin()
	defer p.turns.end()
	began := time.Now()
	_ = p.conn.SetReadDeadline(began.Add(p.left)) // a writer without deadlines is a test's
	if p.givenUp.Load() {
		p.hurry()
	}
	n, err := p.body.Read(b)
	p.move(n, time.Since(began))
	if p.ended = err == io.EOF; p.ended {
		_ = p.conn.SetReadDeadline(noDeadline) // it would end the request's context
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

func (p *pacedReader) hurry() { _ = p.conn.SetReadDeadline(time.Now().Add(min(lastWords, p.timeout))) }

// drain reads on for nobody.
func (p *pacedReader) drain() {
	p.turns = readTurns{}
	if !p.ended {
		_, _ = io.CopyN(io.Discard, p, lastWordsBytes)
	}
}

// errNotTaken: the client has left, or takes too little of its answer.
var errNotTaken = errors.New("the client does not take the answer")

// writePiece is how much of an answer is written at a time, in bytes.
const writePiece = 64 << 10

// A pacedWriter is what every answer is written to. It fails with errNotTaken when too
// little is taken.
type pacedWriter struct {
	http.ResponseWriter
	conn *http.ResponseController
	pace
	until time.Time // the deadline that is set
	// turn is of who writes, under ctx, and ends while the client is waited for: what is
	// written to does that if endsTurns says so, else it has ended before.
	turn      *fair.Turn
	ctx       context.Context
	endsTurns bool
	// unshared is how many bytes of documents may still be gone through before shareFor looks at
	// the clock; none where the turn may be new.
	unshared int
	// patient: nothing has to be taken, for now.
	patient bool
}

func newPacedWriter(w http.ResponseWriter, timeout time.Duration, memory *hold) pacedWriter {
	return pacedWriter{ResponseWriter: w, conn: http.NewResponseController(w), pace: newPace(timeout, memory)}
}

// Unwrap is for http.ResponseController.
func (p *pacedWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// Write implements http.ResponseWriter.
func (p *pacedWriter) Write(b []byte) (written int, err error) {
	for {
		piece := b[:min(len(b), writePiece)]
		n, err := p.writePiece(piece)
		written, b = written+n, b[n:]
		if err != nil {
			return written, errors.Join(errNotTaken, err)
		}
		if len(b) == 0 {
			return written, nil
		}
	}
}

// share lets others go on where making the answer takes long.
func (p *pacedWriter) share() error {
	if p == nil {
		return nil
	}
	return p.turn.Rest(p.ctx)
}

// shareEvery is after how many bytes of documents others may go on: some dozens of
// microseconds' work. To look at the clock for each of many small documents costs a
// twentieth of what it takes to export them.
const shareEvery = 4 << 10

// shareFor is share before so many bytes of documents are gone through.
func (p *pacedWriter) shareFor(bytes int) error {
	if p == nil {
		return nil
	}
	if p.unshared -= bytes; p.unshared > 0 {
		return nil
	}
	p.unshared = shareEvery
	return p.share()
}

// done ends the turn, before something else is waited for.
func (p *pacedWriter) done() {
	if p != nil {
		p.unshared = 0
		p.turn.Done()
	}
}

// writePiece writes in the turn, since that is work, too. connection.Write ends it where the
// client has to be waited for, and else it goes on: whoever reads more from the storage, which
// has turns of its own, ends it before.
func (p *pacedWriter) writePiece(piece []byte) (int, error) {
	p.unshared = 0 // the turn may end here
	if p.endsTurns && !p.patient {
		_ = p.share() // of a request that is over the write itself fails
	} else {
		p.turn.Done()
	}
	if p.patient {
		return p.ResponseWriter.Write(piece)
	}
	began := time.Now()
	p.by(began.Add(p.left))
	n, err := p.ResponseWriter.Write(piece)
	if took := time.Since(began); err == nil {
		p.move(n, took)
	}
	return n, err
}

// deadlineStep is how much nearer than it might be a deadline is left: to set one costs.
const deadlineStep = time.Second

// by has what is written from now on taken by then.
func (p *pacedWriter) by(until time.Time) {
	if until.Before(p.until) || until.Sub(p.until) > min(deadlineStep, p.timeout/8) {
		_ = p.conn.SetWriteDeadline(until) // a writer without deadlines is a test's
		p.until = until
	}
}

// wait lets the client take its time, until rest.
func (p *pacedWriter) wait() {
	p.patient, p.until = true, noDeadline
	_ = p.conn.SetWriteDeadline(noDeadline)
}

// rest gives the client its time once more, for what net/http still writes by itself:
// the rest of this answer, and leave to send the next body.
func (p *pacedWriter) rest() {
	p.patient, p.left = false, p.timeout
	p.by(time.Now().Add(p.timeout))
}

// pacedOf is the pacedWriter beneath, nil if there is none.
func pacedOf(w http.ResponseWriter) *pacedWriter {
	for w != nil {
		if p, ok := w.(*pacedWriter); ok {
			return p
		}
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = inner.Unwrap()
	}
	return nil
}

// noDeadline lifts one.
var noDeadline time.Time
