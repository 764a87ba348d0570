package orgd

import (
	"errors"
	"iter"
	"net/http"

	"github.com/orgd/orgd/sdk/go/internal/ndjson"
)

// ErrIncomplete is the error of a stream that the connection or the server broke off.
// The values before it are good.
var ErrIncomplete = errors.New("orgd: the stream is incomplete")

// A Trailer looks at a line of a stream. If it is the last line, ok is true and count
// the number of lines that should have come before it; err is an error that the line
// reports, and ends the loop.
type Trailer func(line []byte) (count int64, ok bool, err error)

// Lines goes through an answer that is a stream of JSON values, one a line
// (NDJSON), holding no more than one line in memory, and closes it when the loop
// ends. An error ends the loop, as its last pair. The stream can be read once.
//
// A stream that breaks off can look complete. With a trailer, a stream that ends
// without it, or after another number of lines than it says, or goes on after it,
// fails with [ErrIncomplete]. Without a trailer (nil) any end is taken for the proper
// end.
//
//	resp, err := c.API().ExportDocuments(ctx)
//	...
//	for doc, err := range orgd.Lines[Document](resp, trailer) { ... }
func Lines[T any](resp *http.Response, trailer Trailer) iter.Seq2[T, error] {
	return ndjson.Read[T](resp.Body, ndjson.Trailer(trailer), ErrIncomplete)
}
