package orgd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"

	"github.com/orgd/orgd/sdk/go/client"
	"github.com/orgd/orgd/sdk/go/internal/ndjson"
	"github.com/orgd/orgd/sdk/go/internal/upload"
)

// What an import does with a document whose _id, or key in a unique index, another
// document has.
const (
	OnConflictFail    = client.OnConflictFail    // refuse the new document
	OnConflictSkip    = client.OnConflictSkip    // leave the new document out
	OnConflictReplace = client.OnConflictReplace // replace the document with the same _id
)

// ImportOptions say how to import.
type ImportOptions struct {
	OnConflict client.ImportDocumentsParamsOnConflict // OnConflictFail by default
	// Progress, if it is not nil, is called once a second at most.
	Progress func(ImportProgress)
}

// An ImportProgress says how far an import is. The documents it counts are durable.
type ImportProgress struct {
	Lines    int64 `json:"lines"` // processed: the sum of the others
	Inserted int64 `json:"inserted"`
	Replaced int64 `json:"replaced"`
	Skipped  int64 `json:"skipped"`
	Failed   int64 `json:"failed"` // refused
}

// An ImportResult says what became of an import.
type ImportResult struct {
	ImportProgress
	Refused []LineError // the first thousand of the documents that Failed counts
}

// Err returns the refusals as one error, nil if there was no refusal.
func (r *ImportResult) Err() error {
	if r.Failed == 0 {
		return nil
	}
	if len(r.Refused) == 0 {
		return fmt.Errorf("orgd: %d documents were refused", r.Failed)
	}
	return fmt.Errorf("orgd: %d documents were refused; the first: %w", r.Failed, r.Refused[0])
}

// A LineError is a document that an import refused. errors.Is finds its code.
type LineError struct {
	Line    int64 // the number of the document, or of the line of the text, from 1
	Code    Code
	Detail  string
	Pointer string // where in the document: "#/email"
}

// Error implements error.
func (e LineError) Error() string {
	where := fmt.Sprintf("line %d", e.Line)
	if e.Pointer != "" {
		where += " " + e.Pointer
	}
	return fmt.Sprintf("%s: %s: %s", where, e.Code, e.Detail)
}

// Unwrap returns the code.
func (e LineError) Unwrap() error { return e.Code }

// Import adds documents in Extended JSON, one a line, such as those of
// [Client.Export]. There may be any number: they are sent as they are read, and none is
// kept.
//
// A document that is refused is not an error of Import: it is in the result, see
// [ImportResult.Err]. An import that breaks off fails with [ErrIncomplete], and the
// result says which documents are certainly stored; if the error is also
// [ErrOutcomeUnknown], some of the rest may be stored, too. If the documents have an
// _id, the import can be repeated from the beginning, with [OnConflictSkip].
//
// Import is tried again only as long as nothing of r was read. When it returns an
// error, a Read of r may still be in progress; no other follows.
func (c *Client) Import(ctx context.Context, r io.Reader, o ImportOptions) (*ImportResult, error) {
	return c.imports(ctx, upload.NewSource(upload.Copy(r)), o)
}

// Import is [Client.Import] for a sequence of values.
func (d *Documents[T]) Import(ctx context.Context, docs iter.Seq[T], o ImportOptions) (*ImportResult, error) {
	return d.ImportFrom(ctx, func(yield func(T, error) bool) {
		for v := range docs {
			if !yield(v, nil) {
				return
			}
		}
	}, o)
}

// ImportFrom is Import from a sequence that may fail, such as another organization's
// [Documents.Export]. The sequence's first error ends the import and is returned;
// documents before it may have been imported.
func (d *Documents[T]) ImportFrom(ctx context.Context, docs iter.Seq2[T, error], o ImportOptions) (*ImportResult, error) {
	return d.c.imports(ctx, upload.NewSource(ndjson.Write(docs)), o)
}

func (c *Client) imports(ctx context.Context, source *upload.Source, o ImportOptions) (*ImportResult, error) {
	defer source.Close(upload.ErrEnded)
	defer source.CloseWith(ctx)()
	params := &client.ImportDocumentsParams{}
	if o.OnConflict != "" {
		params.OnConflict = &o.OnConflict
	}
	const ndjson = "application/x-ndjson"
	resp, err := c.api.ImportDocumentsWithBody(ctx, params, ndjson, source.Body(), func(_ context.Context, req *http.Request) error {
		req.GetBody = source.Again
		// A request that the server refuses at once then has sent nothing of its body, and can be sent again.
		req.Header.Set("Expect", "100-continue")
		return nil
	})
	if err != nil {
		return nil, because(source, err)
	}
	defer func() { _ = resp.Body.Close() }()
	result, err := readImport(resp, o.Progress)
	return result, because(source, err)
}

// because returns why an import failed, which is its source's error if that failed.
func because(source *upload.Source, err error) error {
	if failure := source.Failure(); err != nil && failure != nil {
		return &uncertain{fmt.Errorf("orgd: read what to import: %w", failure)}
	}
	return err
}

// An importLine is a line of the answer, of any type.
type importLine struct {
	Type    string  `json:"type"`
	Line    int64   `json:"line"`
	Code    *string `json:"code"`
	Detail  *string `json:"detail"`
	Pointer string  `json:"pointer"`
	ImportProgress
	Complete bool `json:"complete"`
}

const maxRefused = 1000 // the contract's

// readImport reads the answer to an import.
func readImport(resp *http.Response, progress func(ImportProgress)) (*ImportResult, error) {
	result := &ImportResult{}
	for line, err := range Lines[importLine](resp, nil) {
		if err != nil {
			return result, unfinished(err)
		}
		switch line.Type {
		case "error":
			if len(result.Refused) < maxRefused {
				result.Refused = append(result.Refused, LineError{line.Line, Code(text(line.Code)), text(line.Detail), line.Pointer})
			}
		case "progress":
			if result.ImportProgress = line.ImportProgress; progress != nil {
				progress(line.ImportProgress)
			}
		case "result":
			result.ImportProgress = line.ImportProgress
			if !line.Complete {
				return result, brokenOff(resp, "/org/import", line.Code, line.Detail)
			}
			return result, nil
		}
	}
	return result, unfinished(errors.New("it ends without its last line"))
}

// unfinished returns the error of an import whose answer broke off.
func unfinished(err error) error {
	if !errors.Is(err, ErrIncomplete) {
		err = fmt.Errorf("%w: %w", ErrIncomplete, err)
	}
	return &uncertain{err}
}
