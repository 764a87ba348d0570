package orgd

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
)

// maxLine bounds a line of a stream: several times a document of 16 MiB, as JSON
// is longer.
const maxLine = 128 << 20

// ErrIncomplete is a stream that did not come to its proper end: the connection
// or the server broke off. What came before is good.
var ErrIncomplete = errors.New("orgd: the stream is incomplete")

// A Trailer looks at a line of a stream. Where it is the one that closes the
// stream, ok is true and count the number of lines that should have come before
// it; an err is one that the server tells there, and ends the loop.
type Trailer func(line []byte) (count int64, ok bool, err error)

// Lines goes through an answer that is a stream of JSON values, a line each
// (NDJSON), holding no more than one line in memory, and closes it when the loop
// ends. An error ends the loop, as its last pair. The stream can be read once.
//
// A stream that breaks off looks like one that ends. With a trailer, one that
// ends without it, or after another number of lines than it says, or goes on
// after it, is [ErrIncomplete]. Without (nil) the end is the end.
//
//	resp, err := c.API().ExportDocuments(ctx)
//	...
//	for doc, err := range orgd.Lines[Document](resp, trailer) { ... }
func Lines[T any](resp *http.Response, trailer Trailer) iter.Seq2[T, error] {
	r := &lineReader[T]{in: bufio.NewReaderSize(resp.Body, 64<<10), trailer: trailer}
	return func(yield func(T, error) bool) {
		defer func() { _ = resp.Body.Close() }()
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

type lineReader[T any] struct {
	in      *bufio.Reader
	trailer Trailer
	count   int64 // of values
	line    int64 // of lines, for errors
	done    error // what next returns from now on
}

// next returns the next value; io.EOF at the proper end.
func (r *lineReader[T]) next() (v T, err error) {
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
		return v, fmt.Errorf("%w: it ends after %d values, without its last line", ErrIncomplete, r.count)
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
		return v, fmt.Errorf("orgd: line %d of the stream: %w", r.line, err)
	}
	r.count++
	return v, nil
}

// finish checks what the trailer says.
func (r *lineReader[T]) finish(count int64) error {
	if count != r.count {
		return fmt.Errorf("%w: %d values came of %d", ErrIncomplete, r.count, count)
	}
	switch _, err := r.read(); err {
	case io.EOF:
		return io.EOF
	case nil:
		return fmt.Errorf("%w: it goes on after its last line", ErrIncomplete)
	default:
		return err
	}
}

// read returns the next line that is not blank, without what ends it. It is the
// caller's to keep.
func (r *lineReader[T]) read() ([]byte, error) {
	for {
		var line []byte
		more := true
		for more {
			part, err := r.in.ReadSlice('\n')
			line = append(line, part...)
			switch {
			case len(line) > maxLine:
				return nil, fmt.Errorf("orgd: line %d of the stream is longer than %d bytes", r.line+1, maxLine)
			case err == io.EOF && len(bytes.TrimSpace(line)) == 0:
				return nil, io.EOF
			case err == nil, err == io.EOF:
				more = false
			case err != bufio.ErrBufferFull:
				return nil, fmt.Errorf("%w after %d values: %w", ErrIncomplete, r.count, err)
			}
		}
		r.line++
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}
