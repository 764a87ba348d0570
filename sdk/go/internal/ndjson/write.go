package ndjson

import (
	"bytes"
	"encoding/json"
	"io"
	"iter"
	"time"
)

const (
	batch  = 32 << 10              // bytes, about how much is written at a time
	linger = 50 * time.Millisecond // for how long values are gathered for that
)

// Write returns what writes the values of a sequence, up to its first error.
func Write[T any](values iter.Seq2[T, error]) func(io.Writer) error {
	return func(w io.Writer) error {
		var lines bytes.Buffer
		e := json.NewEncoder(&lines)
		e.SetEscapeHTML(false)
		began := time.Now()
		for v, err := range values {
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
