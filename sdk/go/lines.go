package orgd

import (
	"errors"
	"iter"
	"net/http"

	"github.com/orgd/orgd/sdk/go/internal/ndjson"
)

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
	return ndjson.Read[T](resp.Body, ndjson.Trailer(trailer), ErrIncomplete)
}
