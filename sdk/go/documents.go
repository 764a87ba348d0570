package orgd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/orgd/orgd/sdk/go/client"
)

// Documents are the documents of the client's own organization, as values of type T:
// a struct or a map, by the rules of encoding/json. T need not have a field for _id.
// For types that JSON lacks see "Values" in the package's documentation.
type Documents[T any] struct{ c *Client }

// DocumentsOf returns the documents of a client's organization as values of type T.
// Different types may be used at the same time.
func DocumentsOf[T any](c *Client) *Documents[T] { return &Documents[T]{c} }

// String names the server.
func (d *Documents[T]) String() string { return d.c.String() }

// GoString is String.
func (d *Documents[T]) GoString() string { return d.String() }

// A Document is a stored value with its id and revision.
type Document[T any] struct {
	// ID is the document's _id, for Get and other methods: an ObjectId's 24 hexadecimal
	// digits, or a string. It is empty if the document was imported with an _id of
	// another type.
	ID string
	// Revision is for IfMatch; every write changes it. Documents of a list have none.
	Revision string
	Value    T
}

// Insert adds a document. A document without an _id gets an ObjectId; if its _id is
// taken, Insert fails with [ErrDocumentExists].
func (d *Documents[T]) Insert(ctx context.Context, v T, opts ...CreateOption) (*Document[T], error) {
	body, err := encode(v)
	if err != nil {
		return nil, err
	}
	params := &client.CreateDocumentParams{IdempotencyKey: keyOf(opts)}
	return documentOf[T](d.c.api.CreateDocumentWithBody(ctx, params, "application/json", bytes.NewReader(body)))
}

// Get returns a document, or [ErrNotFound].
func (d *Documents[T]) Get(ctx context.Context, id string) (*Document[T], error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	return documentOf[T](d.c.api.GetDocument(ctx, id))
}

// Put replaces the document with an id, or creates it; with [IfMatch] or [IfPresent]
// it only replaces, with [IfAbsent] it only creates. An _id in v has to be the same.
// Names of the document for which T has no field are lost: see [Documents.Patch].
func (d *Documents[T]) Put(ctx context.Context, id string, v T, when ...Condition) (*Document[T], error) {
	body, err := encode(v)
	if err != nil {
		return nil, err
	}
	cond, err := prepare(id, when, true)
	if err != nil {
		return nil, err
	}
	params := &client.PutDocumentParams{IfMatch: cond.match, IfNoneMatch: cond.noneMatch}
	return documentOf[T](d.c.api.PutDocumentWithBody(ctx, id, params, "application/json", bytes.NewReader(body)))
}

// Patch changes a document in part, by a JSON Merge Patch (RFC 7396): its values
// replace those of the same names, objects are merged, null removes a name. The rest
// of the document stays as it is, including names for which T has no field. A patch is
// a struct or a map:
//
//	docs.Patch(ctx, "ada", map[string]any{"city": "London", "age": nil})
func (d *Documents[T]) Patch(ctx context.Context, id string, patch any, when ...Condition) (*Document[T], error) {
	body, err := encode(patch)
	if err != nil {
		return nil, err
	}
	cond, err := prepare(id, when, false)
	if err != nil {
		return nil, err
	}
	params := &client.PatchDocumentParams{IfMatch: cond.match}
	return documentOf[T](d.c.api.PatchDocumentWithBody(ctx, id, params, "application/merge-patch+json", bytes.NewReader(body)))
}

// Delete removes a document, or fails with [ErrNotFound].
func (d *Documents[T]) Delete(ctx context.Context, id string, when ...Condition) error {
	cond, err := prepare(id, when, false)
	if err != nil {
		return err
	}
	return discard(d.c.api.DeleteDocument(ctx, id, &client.DeleteDocumentParams{IfMatch: cond.match}))
}

func prepare(id string, when []Condition, absent bool) (conditions, error) {
	if err := checkID(id); err != nil {
		return conditions{}, err
	}
	return conditionsOf(when, absent)
}

// checkID refuses ids that would change the request's path.
func checkID(id string) error {
	if id == "" || id == "." || id == ".." {
		return fmt.Errorf("orgd: %q is not an id that a path can name", id)
	}
	return nil
}

// documentOf reads an answer that is a document.
func documentOf[T any](resp *http.Response, err error) (*Document[T], error) {
	raw, err := Decode[json.RawMessage](resp, err)
	if err != nil {
		return nil, err
	}
	doc, err := parseDocument[T](*raw)
	if err != nil {
		return nil, afterAnswer(resp.Request, err)
	}
	doc.Revision = revisionOf(resp.Header.Get("ETag"))
	return doc, nil
}

func parseDocument[T any](raw []byte) (*Document[T], error) {
	var doc Document[T]
	var named struct {
		ID json.RawMessage `json:"_id"`
	}
	if err := errors.Join(json.Unmarshal(raw, &named), json.Unmarshal(raw, &doc.Value)); err != nil {
		return nil, fmt.Errorf("orgd: read a document: %w", err)
	}
	var id DocumentID
	if id.UnmarshalJSON(named.ID) == nil { // else the _id does not fit into a path
		doc.ID = string(id)
	}
	return &doc, nil
}

// encode is json.Marshal without its escapes for HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("orgd: write a document: %w", err)
	}
	return b.Bytes(), nil
}
