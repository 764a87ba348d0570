package orgd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"

	"github.com/orgd/orgd/sdk/go/client"
	"github.com/orgd/orgd/sdk/go/internal/problem"
)

// ExportOptions say what to export, and how.
type ExportOptions struct {
	Filter    any  // which documents: see Query. nil: all
	Canonical bool // keep the type of every number
}

// Export writes all documents, or those that a filter selects, in Extended JSON, one a
// line, and returns how many. It holds no more than one document in memory. A document
// that exists from the beginning of the export to its end is written exactly once,
// whatever else is written to the organization meanwhile.
//
// An export that breaks off fails with [ErrIncomplete]: the lines written are good, but
// documents are missing. [Client.Import] reads what Export writes.
func (c *Client) Export(ctx context.Context, w io.Writer, o ExportOptions) (int64, error) {
	out := bufio.NewWriterSize(w, 64<<10)
	var n int64
	for line, err := range exported[json.RawMessage](ctx, c, o) {
		if err != nil {
			_ = out.Flush() // the lines that came are good
			return n, err
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return n, fmt.Errorf("orgd: write the export: %w", err)
		}
		n++
	}
	if err := out.Flush(); err != nil {
		return n, fmt.Errorf("orgd: write the export: %w", err)
	}
	return n, nil
}

// Export is [Client.Export] for a loop over values. Every loop is a new export. The
// server ends an export of which the loop takes nothing for 30 seconds.
func (d *Documents[T]) Export(ctx context.Context, o ExportOptions) iter.Seq2[T, error] {
	return exported[T](ctx, d.c, o)
}

func exported[T any](ctx context.Context, c *Client, o ExportOptions) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		resp, err := c.askForExport(ctx, o)
		if err != nil {
			yield(none, err)
			return
		}
		Lines[T](resp, exportTrailer(resp))(yield)
	}
}

// askForExport requests an export, with the filter where Client.ask has it.
func (c *Client) askForExport(ctx context.Context, o ExportOptions) (*http.Response, error) {
	filter, err := encodeFilter(o.Filter)
	if err != nil {
		return nil, err
	}
	if short(text(filter)) {
		return c.api.ExportDocuments(ctx, &client.ExportDocumentsParams{Filter: filter, Canonical: &o.Canonical})
	}
	body, err := bodyFilter(filter)
	if err != nil {
		return nil, err
	}
	return c.api.ExportQuery(ctx, client.ExportQuery{Filter: body, Canonical: &o.Canonical})
}

// exportTrailer reads the line that ends an export. No document begins like it.
func exportTrailer(resp *http.Response) Trailer {
	return func(line []byte) (int64, bool, error) {
		if begin := bytes.TrimLeft(bytes.TrimPrefix(line, []byte("{")), " \t"); !bytes.HasPrefix(begin, []byte(`"_trailer"`)) {
			return 0, false, nil
		}
		var last struct {
			Trailer struct {
				Documents int64   `json:"documents"`
				Complete  bool    `json:"complete"`
				Code      *string `json:"code"`
				Detail    *string `json:"detail"`
			} `json:"_trailer"`
		}
		if err := json.Unmarshal(line, &last); err != nil {
			return 0, false, fmt.Errorf("%w: its last line: %w", ErrIncomplete, err)
		}
		if t := last.Trailer; !t.Complete {
			return 0, true, brokenOff(resp, "/org/export", t.Code, t.Detail)
		}
		return last.Trailer.Documents, true, nil
	}
}

// brokenOff returns the error of a stream whose last line says that the server could not
// complete it.
func brokenOff(resp *http.Response, path string, code, detail *string) error {
	return fmt.Errorf("%w: %w", ErrIncomplete, errorOf(resp.Request, path, problem.OfStream(resp, text(code), text(detail))))
}
