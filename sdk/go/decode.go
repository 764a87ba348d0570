package orgd

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxAnswer is how much of an answer in JSON is read.
const maxAnswer = 256 << 20

// Decode reads an answer of one of [Client.API]'s methods that do not read it
// themselves, and closes it:
//
//	o, err := orgd.Decode[orgd.Organization](c.API().UpdateOrganization(ctx, body))
func Decode[T any](resp *http.Response, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if t := mediaType(resp); !strings.Contains(t, "json") {
		return nil, uncertainIf(resp.Request, fmt.Errorf("orgd: the answer is of type %q, not JSON", t))
	}
	v := new(T)
	d := json.NewDecoder(resp.Body)
	if err := d.Decode(v); err != nil {
		return nil, uncertainIf(resp.Request, fmt.Errorf("orgd: read the answer: %w", err))
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, uncertainIf(resp.Request, fmt.Errorf("orgd: read the answer: something follows the JSON value"))
	}
	return v, nil
}

// bounded returns the body of an answer. One in JSON, which is read into memory
// whole, ends with an error where it gets out of hand; a stream may be of any
// length.
func bounded(resp *http.Response) io.ReadCloser {
	if t := mediaType(resp); t != "application/json" && !strings.HasSuffix(t, "+json") {
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

// discard is for answers without a body.
func discard(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
