package wire

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/orgd/orgd/internal/fair"
	"github.com/orgd/orgd/internal/httpapi/memory"
)

// ErrNotTaken: the client has left, or takes too little of its answer.
var ErrNotTaken = errors.New("the client does not take the answer")

// PieceSize is how much of an answer is written at a time, in bytes.
const PieceSize = 64 << 10

// A Writer writes an answer as fast as the client takes it, and fails with ErrNotTaken when the
// client takes too little.
type Writer struct {
	http.ResponseWriter
	control *http.ResponseController
	pace
	until time.Time // the deadline that is set
	// turn is of the goroutine that writes, under ctx. It ends while the client is waited
	// for: conn ends it where it can, without one it has ended before.
	turn *fair.Turn
	ctx  context.Context
	conn *connection // nil in a test without one
	// unshared is how many bytes of documents may still be gone through before ShareFor looks at
	// the clock; none where the turn may be new.
	unshared int
	// patient: the client need not take anything for now.
	patient bool
}

// NewWriter writes an answer in a turn of its request. The context is the request's, and held
// the memory that it holds. The caller has to end the writer.
func NewWriter(ctx context.Context, w http.ResponseWriter, timeout time.Duration, held *memory.Hold, turn *fair.Turn) Writer {
	p := Writer{ResponseWriter: w, control: http.NewResponseController(w), pace: newPace(timeout, held),
		turn: turn, ctx: ctx, conn: connectionOf(ctx)}
	if p.conn != nil {
		p.conn.writes, p.until = turn, p.conn.until
	}
	return p
}

// End leaves the client time to take the rest of its answer, and the connection to the next
// request.
func (p *Writer) End() {
	p.RenewDeadline()
	if p.conn != nil {
		p.conn.writes, p.conn.until = nil, p.until
	}
}

// Unwrap is for http.ResponseController.
func (p *Writer) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// Write implements http.ResponseWriter.
func (p *Writer) Write(b []byte) (written int, err error) {
	for {
		piece := b[:min(len(b), PieceSize)]
		n, err := p.writePiece(piece)
		written, b = written+n, b[n:]
		if err != nil {
			return written, errors.Join(ErrNotTaken, err)
		}
		if len(b) == 0 {
			return written, nil
		}
	}
}

// Share lets other requests go on where making the answer takes long.
func (p *Writer) Share() error {
	if p == nil {
		return nil
	}
	return p.turn.Rest(p.ctx)
}

// shareEvery is after how many bytes of documents other requests may go on: some dozens of
// microseconds' work. To look at the clock for each of many small documents costs a
// twentieth of what it takes to export them.
const shareEvery = 4 << 10

// ShareFor is Share before so many bytes of documents are gone through.
func (p *Writer) ShareFor(bytes int) error {
	if p == nil {
		return nil
	}
	if p.unshared -= bytes; p.unshared > 0 {
		return nil
	}
	p.unshared = shareEvery
	return p.Share()
}

// EndTurn ends the turn, before the goroutine waits for anything else.
func (p *Writer) EndTurn() {
	if p != nil {
		p.unshared = 0
		p.turn.Done()
	}
}

// writePiece writes in the turn, since to write is work, too. connection.Write ends the turn
// where the client has to be waited for. Else it goes on: a handler that reads more from the
// storage, which has turns of its own, ends it before.
func (p *Writer) writePiece(piece []byte) (int, error) {
	p.unshared = 0 // the turn may end here
	if p.conn != nil && !p.patient {
		_ = p.Share() // if the request is over, the write itself fails
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

// setDeadline says until when the client has to take what is written from now on.
func (p *Writer) setDeadline(until time.Time) {
	if until.Before(p.until) || until.Sub(p.until) > min(deadlineStep, p.timeout/8) {
		_ = p.control.SetWriteDeadline(until) // a writer without deadlines is a test's
		p.until = until
	}
}

// LiftDeadline lets the client take as long as it likes, until RenewDeadline.
func (p *Writer) LiftDeadline() {
	p.patient, p.until = true, noDeadline
	_ = p.control.SetWriteDeadline(noDeadline)
}

// RenewDeadline gives the client its time once more, for what net/http still writes by itself:
// the rest of this answer, and leave to send the next body.
func (p *Writer) RenewDeadline() {
	p.patient, p.left = false, p.timeout
	p.setDeadline(time.Now().Add(p.timeout))
}

// WriterOf is the Writer beneath w, nil if there is none.
func WriterOf(w http.ResponseWriter) *Writer {
	for w != nil {
		if p, ok := w.(*Writer); ok {
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
