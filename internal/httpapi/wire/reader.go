package wire

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/orgd/orgd/internal/fair"
	"github.com/orgd/orgd/internal/httpapi/memory"
)

// A Reader reads what a client sends, and fails when too little comes.
type Reader struct {
	body    io.Reader
	control *http.ResponseController
	pace
	turns readTurns

	ended   bool
	givenUp atomic.Bool
}

// NewReader reads a body in a turn of its request. The context is the request's, and held the
// memory that it holds.
func NewReader(ctx context.Context, body io.Reader, control *http.ResponseController, timeout time.Duration, held *memory.Hold, turn *fair.Turn) *Reader {
	return &Reader{body: body, control: control, pace: newPace(timeout, held),
		turns: readTurns{ctx: ctx, turn: turn, conn: connectionOf(ctx)}}
}

// Read implements io.Reader.
func (p *Reader) Read(b []byte) (int, error) {
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

// What a client may still send that is answered before it has sent everything. If the
// connection were closed at once, the client might never see the answer.
const (
	lastWords      = 2 * time.Second
	lastWordsBytes = 8 << 20
)

// GiveUp makes a Read in progress, and those to come, end soon.
func (p *Reader) GiveUp() {
	p.givenUp.Store(true)
	p.hurry()
}

func (p *Reader) hurry() {
	_ = p.control.SetReadDeadline(time.Now().Add(min(lastWords, p.timeout)))
}

// Drain reads on, for a while, and drops what comes.
func (p *Reader) Drain() {
	p.turns = readTurns{}
	if !p.ended {
		_, _ = io.CopyN(io.Discard, p, lastWordsBytes)
	}
}
