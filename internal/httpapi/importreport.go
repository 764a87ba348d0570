package httpapi

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// An importReport writes the answer of an import. It keeps lines until the client
// takes them: while it sends documents, it need not read. They are bounded in number:
// those of errors are, and of progress there is at most one.
type importReport struct {
	w       http.ResponseWriter
	conn    *http.ResponseController
	timeout time.Duration

	mu      sync.Mutex
	changed sync.Cond
	lines   []byte
	ended   bool
	done    chan error
}

func newImportReport(w http.ResponseWriter, conn *http.ResponseController, timeout time.Duration) *importReport {
	r := &importReport{w: w, conn: conn, timeout: timeout, done: make(chan error, 1)}
	r.changed.L = &r.mu
	return r
}

// put adds a line.
func (r *importReport) put(line importLine) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err) // strings and numbers only
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(append(r.lines, text...), '\n')
	r.changed.Signal()
}

// offer adds a line unless the client has not yet taken those before.
func (r *importReport) offer(line importLine) {
	r.mu.Lock()
	waiting := len(r.lines) > 0
	r.mu.Unlock()
	if !waiting {
		r.put(line)
	}
}

// finish adds the last line and reports whether the client has taken all of them.
func (r *importReport) finish(line importLine) bool {
	r.put(line)
	r.mu.Lock()
	r.ended = true
	r.changed.Signal()
	r.mu.Unlock()
	_ = r.conn.SetWriteDeadline(time.Now().Add(r.timeout)) // it has nothing else to do now
	return <-r.done == nil
}

// run writes lines until there are no more.
func (r *importReport) run() {
	r.w.Header().Set("Content-Type", linesType)
	begun := false
	for {
		text, ended := r.take()
		if !begun {
			// Not before the body was read from: some clients send none once they
			// see an answer.
			r.w.WriteHeader(http.StatusOK)
			begun = true
		}
		err := r.write(text, ended)
		if err != nil || ended {
			r.done <- err
			return
		}
	}
}

// take waits for lines, and says whether they are the last.
func (r *importReport) take() ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.lines) == 0 && !r.ended {
		r.changed.Wait()
	}
	text := r.lines
	r.lines = nil
	return text, r.ended
}

// write has a deadline for the last lines only.
func (r *importReport) write(text []byte, last bool) error {
	if last {
		return writePaced(r.w, r.conn, text, r.timeout)
	}
	if _, err := r.w.Write(text); err != nil {
		return err
	}
	return r.conn.Flush()
}
