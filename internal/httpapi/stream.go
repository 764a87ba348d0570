package httpapi

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// linesType is the media type of JSON values, one a line.
const linesType = "application/x-ndjson"

// streams: the operation takes a body of any length, and reads it line by line.
func (op *operation) streams() bool { return op.body != nil && op.takes(linesType) }

// openStream has the answer to a stream sent as it is written, which by default waits
// for the stream's first 256 KiB. The connection ends with the answer: net/http can
// go wrong over the rest of a stream that its handler left (it reads it, after it
// has stopped reading, and panics or takes it for the next request).
func openStream(w http.ResponseWriter) {
	_ = controllerOf(w).EnableFullDuplex() // where there is none, the answer waits
	w.Header().Set("Connection", "close")
}

// checkStream looks at a stream without reading it: that is its handler's.
func checkStream(op *operation, h http.Header) error {
	mediaType, problem := bodyType(op, h)
	if problem != "" {
		return &requestError{kind: unsupportedMediaType, detail: problem}
	}
	h["Content-Type"] = []string{mediaType}
	return nil
}

// What a stream has to bring or to take, and in what time of waiting for it: a
// connection on which less comes in is one that nobody uses, or that somebody
// wants to keep busy. What orgd itself takes in between does not count.
const (
	streamTimeout = 30 * time.Second
	streamPace    = 1 << 10
)

// A pacedReader ends with an error when too little comes.
type pacedReader struct {
	body    io.Reader
	conn    *http.ResponseController
	timeout time.Duration
	left    time.Duration // of the time for the next streamPace bytes
	got     int

	ended   bool
	givenUp atomic.Bool
}

func newPacedReader(body io.Reader, conn *http.ResponseController, timeout time.Duration) *pacedReader {
	return &pacedReader{body: body, conn: conn, timeout: timeout, left: timeout}
}

// Read implements io.Reader.
func (p *pacedReader) Read(b []byte) (int, error) {
	began := time.Now()
	_ = p.conn.SetReadDeadline(began.Add(p.left)) // a writer without deadlines is a test's
	if p.givenUp.Load() {
		p.hurry()
	}
	n, err := p.body.Read(b)
	p.left -= time.Since(began)
	if p.got += n; p.got >= streamPace {
		p.got, p.left = 0, p.timeout
	}
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
	if !p.ended {
		_, _ = io.CopyN(io.Discard, p, lastWordsBytes)
	}
}

// streamChunk is about how much is written at a time, in bytes.
const streamChunk = 64 << 10

// writePaced writes a text and flushes it, and fails when the client takes too
// little of it.
func writePaced(w http.ResponseWriter, conn *http.ResponseController, text []byte, timeout time.Duration) error {
	for len(text) > 0 {
		n := min(len(text), streamChunk)
		_ = conn.SetWriteDeadline(time.Now().Add(timeout))
		if _, err := w.Write(text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return conn.Flush()
}

// controllerOf is the control of a connection without echo's layer, which keeps
// errors of flushing to itself.
func controllerOf(w http.ResponseWriter) *http.ResponseController {
	if inner, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		w = inner.Unwrap()
	}
	return http.NewResponseController(w)
}

// cutOff ends an answer that cannot be brought to its end: its client is gone, or
// takes nothing of it.
func cutOff(ctx context.Context) {
	callFrom(ctx).left = true
	panic(http.ErrAbortHandler)
}

// noDeadline lifts one.
var noDeadline time.Time
