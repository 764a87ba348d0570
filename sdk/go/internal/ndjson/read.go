// Package ndjson reads and writes streams of JSON values, one a line, of any length, with
// no more than one line of them in memory.
package ndjson

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// maxLine bounds a line, in bytes: several times a document of 16 MiB, since JSON is
// longer than BSON.
const maxLine = 128 << 20

// A Trailer looks at a line of a stream. Where it is the last line, ok is true and count
// the number of values that should have come before it. An error ends the stream.
type Trailer func(line []byte) (count int64, ok bool, err error)

// Read goes through the values of a stream, and closes it when the loop ends. An error
// ends the loop, as its last pair. A stream that breaks off, or that does not end as its
// trailer says, fails with an error that wraps incomplete; without a trailer (nil) every
// end is a good one.
func Read[T any](stream io.ReadCloser, trailer Trailer, incomplete error) iter.Seq2[T, error] {
	r := &reader[T]{in: bufio.NewReaderSize(stream, 64<<10), trailer: trailer, incomplete: incomplete}
	return func(yield func(T, error) bool) {
		defer func() { _ = stream.Close() }()
		for {
			v, err := r.next()
			if err == io.EOF {
				return
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

type reader[T any] struct {
	in         *bufio.Reader
	trailer    Trailer
	incomplete error
	values     int64 // read so far
	lines      int64 // read so far, for errors
	done       error // what next returns from now on
}

// next returns the next value; io.EOF at the proper end.
func (r *reader[T]) next() (v T, err error) {
	if r.done != nil {
		return v, r.done
	}
	defer func() {
		if r.done = err; err == io.EOF {
			r.done = errors.New("orgd: the stream has been read already")
		}
	}()
	line, err := r.read()
	if err == io.EOF && r.trailer != nil {
		return v, fmt.Errorf("%w: it ends after %d values, without its last line", r.incomplete, r.values)
	}
	if err != nil {
		return v, err
	}
	if r.trailer != nil {
		count, last, err := r.trailer(line)
		if err != nil {
			return v, err
		}
		if last {
			return v, r.finish(count)
		}
	}
	if err := json.Unmarshal(line, &v); err != nil {
		return v, fmt.Errorf("orgd: line %d of the stream: %w", r.lines, err)
	}
	r.values++
	return v, nil
}

// finish checks what the trailer says.
func (r *reader[T]) finish(count int64) error {
	if count != r.values {
		return fmt.Errorf("%w: %d values came of %d", r.incomplete, r.values, count)
	}
	switch _, err := r.read(); err {
	case io.EOF:
		return io.EOF
	case nil:
		return fmt.Errorf("%w: it goes on after its last line", r.incomplete)
	default:
		return err
	}
}

// read returns the next line that is not blank, trimmed. The caller may keep it.
func (r *reader[T]) read() ([]byte, error) {
	for {
		line, err := r.readLine()
		if err != nil {
			return nil, err
		}
		r.lines++
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}

// readLine returns the next line; the last one may lack its newline.
func (r *reader[T]) readLine() (line []byte, err error) {
	for {
		part, err := r.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, fmt.Errorf("orgd: line %d of the stream is longer than %d bytes", r.lines+1, maxLine)
		case err == io.EOF && len(bytes.TrimSpace(line)) == 0:
			return nil, io.EOF
		case err == nil, err == io.EOF:
			return line, nil
		case err != bufio.ErrBufferFull:
			return nil, fmt.Errorf("%w after %d values: %w", r.incomplete, r.values, err)
		}
	}
}
