package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/orgd/orgd/internal/fair"
)

// errNotTaken: the client has left, or takes too little of its answer.
var errNotTaken = errors.New("the client does not take the answer")

// writePiece is how much of an answer is written at a time, in bytes.
const writePiece = 64 << 10

// A pacedWriter is what every answer is written to. It fails with errNotTaken when too
// little is taken.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	pace
	until time.Time // the deadline that is set
	// turn is of the goroutine that writes, under ctx. It ends while the client is waited
	// for: conn ends it where it can, without one it has ended before.
	turn *fair.Turn
	ctx  context.Context
	conn *connection // nil in a test without one
	// unshared is how many bytes of documents may still be gone through before shareFor looks at
	// the clock; none where the turn may be new.
	unshared int
	// patient: nothing has to be taken, for now.
	patient bool
}

// newPacedWriter writes an answer in turns of the request's, whose context it is. The memory
// is what the request holds. It has to be ended.
func newPacedWriter(ctx context.Context, w http.ResponseWriter, timeout time.Duration, memory *hold, turn *fair.Turn) pacedWriter {
	p := pacedWriter{ResponseWriter: w, control: http.NewResponseController(w), pace: newPace(timeout, memory),
		turn: turn, ctx: ctx, conn: connectionOf(ctx)}
	if p.conn != nil {
		p.conn.writes, p.until = turn, p.conn.until
	}
	return p
}

// end leaves the client time to take the rest of its answer, and the connection to the next
// request.
func (p *pacedWriter) end() {
	p.renewDeadline()
	if p.conn != nil {
		p.conn.writes, p.conn.until = nil, p.until
	}
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

// endTurn ends the turn, before the goroutine waits for anything else.
func (p *pacedWriter) endTurn() {
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
	if p.conn != nil && !p.patient {
		_ = p.share() // of a request that is over the write itself fails
	} else {
		p.turn.Done()
	}
	if p.patient {
		return p.ResponseWriter.Write(piece)
	}
	began := time.Now()
	p.setDeadline(began.Add(p.left))
	n, err := p.ResponseWriter.Write(piece)
	if took := time.Since(began); err == nil {
		p.move(n, took)
	}
	return n, err
}

// deadlineStep is how much nearer than it might be a deadline is left: to set one costs.
const deadlineStep = time.Second

// setDeadline is until when the client has to take what is written from now on.
func (p *pacedWriter) setDeadline(until time.Time) {
	if until.Before(p.until) || until.Sub(p.until) > min(deadlineStep, p.timeout/8) {
		_ = p.control.SetWriteDeadline(until) // a writer without deadlines is a test's
		p.until = until
	}
}

// liftDeadline lets the client take as long as it likes, until renewDeadline.
func (p *pacedWriter) liftDeadline() {
	p.patient, p.until = true, noDeadline
	_ = p.control.SetWriteDeadline(noDeadline)
}

// renewDeadline gives the client its time once more, for what net/http still writes by itself:
// the rest of this answer, and leave to send the next body.
func (p *pacedWriter) renewDeadline() {
	p.patient, p.left = false, p.timeout
	p.setDeadline(time.Now().Add(p.timeout))
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
