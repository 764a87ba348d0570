// Package upload sends the body of an import: a stream that is read once, in a goroutine
// of its own, and that can be sent again as long as nothing of it was read.
package upload

import (
	"context"
	"errors"
	"io"
	"sync"
)

// ErrEnded is what a read of a body gets when the import is over.
var ErrEnded = errors.New("orgd: the import has ended")

// A Source is what an import sends. A goroutine of its own reads it: net/http would wait
// for a Read that does not return, even after the context has ended.
type Source struct {
	pump func(io.Writer) error // writes all of it

	in  *io.PipeWriter
	out *io.PipeReader

	mu     sync.Mutex
	begun  bool
	closed bool
	failed error // of pump itself
}

// NewSource returns the source of what pump writes.
func NewSource(pump func(io.Writer) error) *Source {
	s := &Source{pump: pump}
	s.out, s.in = io.Pipe()
	return s
}

// Whole reports whether nothing was read of it.
func (s *Source) Whole() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.begun
}

// Body returns a body for one request.
func (s *Source) Body() *Body { return &Body{source: s} }

// Again is a request's GetBody.
func (s *Source) Again() (io.ReadCloser, error) {
	if !s.Whole() {
		return nil, errors.New("orgd: the documents cannot be read a second time")
	}
	return s.Body(), nil
}

// begin starts the pump.
func (s *Source) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrEnded
	}
	if !s.begun {
		s.begun = true
		go s.run()
	}
	return nil
}

func (s *Source) run() {
	err := s.pump(s.in)
	s.mu.Lock()
	if !s.closed {
		s.failed = err
	}
	s.mu.Unlock()
	_ = s.in.CloseWithError(err) // nil is io.EOF
}

// Close fails all reads from now on with an error. It does not wait for the pump, which
// ends after the read that it is in.
func (s *Source) Close(why error) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	_ = s.in.CloseWithError(why)
}

// CloseWith closes the source when the context ends, until stop is called.
func (s *Source) CloseWith(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { s.Close(ctx.Err()) })
}

// Failure returns the error with which the pump ended before the source was closed.
func (s *Source) Failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// A Body is the body of one request.
type Body struct {
	source *Source
	mu     sync.Mutex
	closed bool
}

// Replayable reports whether another body of the same source can be sent.
func (b *Body) Replayable() bool { return b.source.Whole() }

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	if err := b.begin(); err != nil {
		return 0, err
	}
	return b.source.out.Read(p)
}

func (b *Body) begin() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrEnded
	}
	return b.source.begin()
}

// Close implements io.Closer. A body of which nothing was read leaves the source to the
// next.
func (b *Body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if !b.source.Whole() {
		_ = b.source.in.CloseWithError(ErrEnded)
	}
	return nil
}

// Copy returns a pump that writes a text as it is.
func Copy(r io.Reader) func(io.Writer) error {
	return func(w io.Writer) error {
		buffer := make([]byte, 32<<10)
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
