package orgd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"sync"
	"time"
)

var errImportEnded = errors.New("orgd: the import has ended")

// An importSource is what an import sends. It can be sent again as long as nothing
// of it was read. It is read in a goroutine of its own: net/http would wait for a
// Read of what stands still, also when the context has ended.
type importSource struct {
	pump func(io.Writer) error // writes all of it

	in  *io.PipeWriter
	out *io.PipeReader

	mu     sync.Mutex
	begun  bool
	closed bool
	failed error // of pump itself
}

func newImportSource(pump func(io.Writer) error) *importSource {
	s := &importSource{pump: pump}
	s.out, s.in = io.Pipe()
	return s
}

// whole reports whether nothing was read.
func (s *importSource) whole() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.begun
}

// body returns a body of a request.
func (s *importSource) body() *streamBody { return &streamBody{source: s} }

// again is a request's GetBody.
func (s *importSource) again() (io.ReadCloser, error) {
	if !s.whole() {
		return nil, errors.New("orgd: the documents cannot be read a second time")
	}
	return s.body(), nil
}

// begin starts the pump.
func (s *importSource) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errImportEnded
	}
	if !s.begun {
		s.begun = true
		go s.run()
	}
	return nil
}

func (s *importSource) run() {
	err := s.pump(s.in)
	s.mu.Lock()
	if !s.closed {
		s.failed = err
	}
	s.mu.Unlock()
	_ = s.in.CloseWithError(err) // nil is io.EOF
}

// close lets nobody read any more. It does not wait for the pump, which ends with
// what it reads now.
func (s *importSource) close(why error) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	_ = s.in.CloseWithError(why)
}

// closeWith closes it when the context ends, until stop is called.
func (s *importSource) closeWith(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { s.close(ctx.Err()) })
}

// failure returns why there was no more of it, nil if there was.
func (s *importSource) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// A streamBody is the body of one request.
type streamBody struct {
	source *importSource
	mu     sync.Mutex
	closed bool
}

// Read implements io.Reader.
func (b *streamBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	closed := b.closed
	if !closed {
		if err := b.source.begin(); err != nil {
			b.mu.Unlock()
			return 0, err
		}
	}
	b.mu.Unlock()
	if closed {
		return 0, errImportEnded
	}
	return b.source.out.Read(p)
}

// Close implements io.Closer. A body that was not read leaves the source for the
// next.
func (b *streamBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if !b.source.whole() {
		_ = b.source.in.CloseWithError(errImportEnded)
	}
	return nil
}

// copies writes a text as it is.
func copies(r io.Reader) func(io.Writer) error {
	return func(w io.Writer) error {
		buffer := make([]byte, batch)
		for {
			n, err := r.Read(buffer)
			if n > 0 {
				if _, broken := w.Write(buffer[:n]); broken != nil {
					return broken
				}
			}
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
}

const (
	batch  = 32 << 10              // about how much is sent at a time
	linger = 50 * time.Millisecond // for how long values are gathered for that
)

// encodes writes values, one a line.
func encodes[T any](docs iter.Seq2[T, error]) func(io.Writer) error {
	return func(w io.Writer) error {
		var lines bytes.Buffer
		e := json.NewEncoder(&lines)
		e.SetEscapeHTML(false)
		began := time.Now()
		for v, err := range docs {
			if err != nil {
				return err
			}
			if err := e.Encode(v); err != nil {
				return err
			}
			if lines.Len() < batch && time.Since(began) < linger {
				continue
			}
			if _, err := lines.WriteTo(w); err != nil {
				return err
			}
			began = time.Now()
		}
		_, err := lines.WriteTo(w)
		return err
	}
}
