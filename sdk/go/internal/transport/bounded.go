package transport

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/orgd/orgd/sdk/go/internal/problem"
)

// maxAnswer bounds an answer in JSON, in bytes.
const maxAnswer = 256 << 20

// bounded returns the body of an answer. A JSON body, which is read into memory whole,
// ends with an error at the bound; a stream may be of any length.
func bounded(resp *http.Response) io.ReadCloser {
	if t := problem.MediaType(resp); t != "application/json" && !strings.HasSuffix(t, "+json") {
		return resp.Body
	}
	return &boundedBody{resp.Body, maxAnswer}
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("the answer is longer than %d bytes", int64(maxAnswer))
	}
	return n, err
}
