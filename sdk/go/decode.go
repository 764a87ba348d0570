package orgd

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/orgd/orgd/sdk/go/internal/problem"
)

// Decode reads the answer of a method of [Client.API] that leaves it to the caller, and
// closes it:
//
//	o, err := orgd.Decode[orgd.Organization](c.API().UpdateOrganization(ctx, body))
func Decode[T any](resp *http.Response, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if t := problem.MediaType(resp); !strings.Contains(t, "json") {
		return nil, afterAnswer(resp.Request, fmt.Errorf("orgd: the answer is of type %q, not JSON", t))
	}
	v := new(T)
	d := json.NewDecoder(resp.Body)
	if err := d.Decode(v); err != nil {
		return nil, afterAnswer(resp.Request, fmt.Errorf("orgd: read the answer: %w", err))
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, afterAnswer(resp.Request, fmt.Errorf("orgd: read the answer: something follows the JSON value"))
	}
	return v, nil
}

// discard closes an answer whose body says nothing.
func discard(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
