package transfer

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/httpapi/wire"
)

// An importReport writes the answer of an import. It keeps lines until the client takes them:
// while the client sends documents, it need not read. Their number is bounded: that of errors
// is, and of progress there is at most one line.
type importReport struct {
	w       http.ResponseWriter
	paced   *wire.Writer
	conn    *http.ResponseController
	timeout time.Duration
	memory  *memory.Hold

	mu      sync.Mutex
	changed sync.Cond
	lines   []byte
	room    int // the memory that is taken for them
	ended   bool
	done    chan error
}

// newImportReport makes a report whose client need not take anything before the last line.
func newImportReport(w http.ResponseWriter, conn *http.ResponseController, timeout time.Duration, held *memory.Hold) *importReport {
	r := &importReport{w: w, paced: wire.WriterOf(w), conn: conn, timeout: timeout, memory: held, done: make(chan error, 1)}
	r.changed.L = &r.mu
	r.paced.LiftDeadline()
	return r
}

// offer adds a line if there is memory for it; the report can do without.
func (r *importReport) offer(line importLine) {
	if text := r.text(line); r.memory.Take(len(text)) == nil {
		r.put(text, len(text))
	}
}

// progress adds a line unless the client has not yet taken those before.
func (r *importReport) progress(line importLine) {
	r.mu.Lock()
	waiting := len(r.lines) > 0
	r.mu.Unlock()
	if !waiting {
		r.offer(line)
	}
}

func (r *importReport) text(line importLine) []byte {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return append(text, '\n')
}

func (r *importReport) put(text []byte, room int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines, r.room = append(r.lines, text...), r.room+room
	r.changed.Signal()
}

// finish adds the last line and reports whether the client has taken all of them.
func (r *importReport) finish(line importLine) bool {
	r.put(r.text(line), 0) // without memory taken: it must not be left out
	r.mu.Lock()
	r.ended = true
	r.changed.Signal()
	r.mu.Unlock()
	_ = r.conn.SetWriteDeadline(time.Now().Add(r.timeout)) // the client has nothing else to do now
	return <-r.done == nil
}

// run writes lines until there are no more.
func (r *importReport) run() {
	r.w.Header().Set("Content-Type", LinesType)
	begun := false
	for {
		text, room, ended := r.take()
		if !begun {
			// Not before some of the body was read: some clients stop to send once they
			// see an answer.
			r.w.WriteHeader(http.StatusOK)
			begun = true
		}
		err := r.write(text, ended)
		r.memory.Give(room)
		if err != nil || ended {
			r.done <- err
			return
		}
	}
}

// take waits for lines, and says what memory is taken for them and whether they are the
// last.
func (r *importReport) take() (text []byte, room int, last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.lines) == 0 && !r.ended {
		r.changed.Wait()
	}
	text, room = r.lines, r.room
	r.lines, r.room = nil, 0
	return text, room, r.ended
}

// write has a deadline for the last lines only.
func (r *importReport) write(text []byte, last bool) error {
	if last {
		r.paced.RenewDeadline()
	}
	if _, err := r.w.Write(text); err != nil {
		return err
	}
	return r.conn.Flush()
}
