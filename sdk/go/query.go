package orgd

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"strings"

	"github.com/orgd/orgd/sdk/go/client"
)

// A Query says which documents to list, and how. The zero Query lists all documents, by
// _id.
type Query struct {
	// Filter is a MongoDB filter: a map, a struct, or a string or json.RawMessage
	// with Extended JSON, of up to about 128 KiB. nil selects all documents.
	Filter any
	// Sort has the paths of an index, in its order, where a "-" before a path means
	// descending; or "_id", or "-_id". Without such an index the query fails with
	// ErrNoIndex.
	Sort []string
	// Fields are the paths to return of each document, beside _id. Empty: all.
	Fields []string
	// Limit is the most documents to list in all. 0: no limit.
	Limit int
	// PageSize is the most documents of a page, up to 1000. 0: the server's 100.
	PageSize int
	// Cursor is the Next of a page with the same Filter and Sort; the list begins
	// after that page.
	Cursor string
}

// A Page is a part of a list.
type Page[T any] struct {
	Items []Document[T]
	Next  string // the Cursor of the next page; empty on the last page
	// Total is the number of documents that the filter selects, with
	// [Documents.PageAndTotal].
	Total int64
}

// List goes through the documents of a query, page after page. A document that does
// not change meanwhile comes exactly once, whatever else is written, and across a move
// of the data.
//
//	for doc, err := range docs.List(ctx, orgd.Query{Filter: map[string]any{"city": "London"}}) {
//		if err != nil {
//			return err
//		}
//		...
//	}
func (d *Documents[T]) List(ctx context.Context, q Query) iter.Seq2[Document[T], error] {
	return func(yield func(Document[T], error) bool) {
		left, first := q.Limit, q.Cursor
		for doc, err := range Pages(ctx, func(ctx context.Context, cursor string) ([]Document[T], string, error) {
			next := q
			next.Limit, next.Cursor = left, cursor
			if cursor == "" {
				next.Cursor = first
			}
			page, err := d.Page(ctx, next)
			if err != nil {
				return nil, "", err
			}
			return page.Items, page.Next, nil
		}) {
			if !yield(doc, err) || err != nil {
				return
			}
			if left--; left == 0 { // without a limit, left begins at 0 and never comes back to it
				return
			}
		}
	}
}

// Page returns one page of a query. A page may have fewer documents than its size
// without being the last: see [Page.Next].
func (d *Documents[T]) Page(ctx context.Context, q Query) (*Page[T], error) {
	return d.page(ctx, q, nil)
}

// PageAndTotal is Page, and counts all documents that the filter selects.
func (d *Documents[T]) PageAndTotal(ctx context.Context, q Query) (*Page[T], error) {
	return d.page(ctx, q, pointer(true))
}

// Count returns how many documents a filter selects; see [Query.Filter].
func (d *Documents[T]) Count(ctx context.Context, filter any) (int64, error) {
	q := Query{Filter: filter, Fields: []string{"_id"}, PageSize: 1}
	page, err := DocumentsOf[struct{}](d.c).PageAndTotal(ctx, q)
	if err != nil {
		return 0, err
	}
	return page.Total, nil
}

func (d *Documents[T]) page(ctx context.Context, q Query, count *bool) (*Page[T], error) {
	list, err := Decode[client.DocumentList](d.c.ask(ctx, q, count))
	if err != nil {
		return nil, err
	}
	page := &Page[T]{Items: make([]Document[T], len(list.Items)), Next: text(list.NextCursor)}
	if list.Total != nil {
		page.Total = *list.Total
	}
	for i, raw := range list.Items {
		doc, err := parseDocument[T](raw)
		if err != nil {
			return nil, err
		}
		page.Items[i] = *doc
	}
	return page, nil
}

// ask requests a page. Short parameters are in the URL, as older servers expect; if one
// is long, they are in the body.
func (c *Client) ask(ctx context.Context, q Query, count *bool) (*http.Response, error) {
	filter, err := encodeFilter(q.Filter)
	if err != nil {
		return nil, err
	}
	sort, fields := strings.Join(q.Sort, ","), strings.Join(q.Fields, ",")
	if short(text(filter)) && short(sort) && short(fields) {
		return c.api.ListDocuments(ctx, &client.ListDocumentsParams{
			Filter: filter, Sort: given(sort), Fields: given(fields), Limit: q.size(), Cursor: given(q.Cursor), Count: count,
		})
	}
	body, err := bodyFilter(filter)
	if err != nil {
		return nil, err
	}
	return c.api.QueryDocuments(ctx, client.DocumentQuery{
		Filter: body, Sort: given(sort), Fields: given(fields), Limit: q.size(), Cursor: given(q.Cursor), Count: count,
	})
}

// short reports whether a parameter fits into the URL. The contract's bound is 1024
// characters, of at least a byte each.
func short(parameter string) bool { return len(parameter) <= 1024 }

// bodyFilter returns a filter for a request's body.
func bodyFilter(text *string) (*client.Filter, error) {
	if text == nil {
		return nil, nil
	}
	if !json.Valid([]byte(*text)) {
		return nil, errors.New("orgd: the filter is not JSON")
	}
	return pointer(client.Filter(*text)), nil
}

const (
	defaultPage = 100 // the contract's
	maxPage     = 1000
)

// size returns the limit of a request, nil for the default.
func (q Query) size() *int32 {
	size := q.PageSize
	if q.Limit > 0 && q.Limit < maxPage && (size == 0 && q.Limit < defaultPage || q.Limit < size) {
		size = q.Limit
	}
	if size == 0 {
		return nil
	}
	return pointer(int32(max(min(size, maxPage), -1))) // the server says what is wrong with less than 1
}

// encodeFilter returns a filter as the text of a query parameter.
func encodeFilter(filter any) (*string, error) {
	switch f := filter.(type) {
	case nil:
		return nil, nil
	case string:
		return given(f), nil
	case json.RawMessage:
		return given(string(f)), nil
	}
	raw, err := encode(filter)
	if err != nil {
		return nil, err
	}
	return pointer(strings.TrimSuffix(string(raw), "\n")), nil
}
