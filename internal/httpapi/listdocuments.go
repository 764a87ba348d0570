package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/extjson"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// defaultPage is the default of the contract's parameter limit.
const defaultPage = 100

// ListDocuments implements api.StrictServerInterface.
func (h handlers) ListDocuments(ctx context.Context, req api.ListDocumentsRequestObject) (api.ListDocumentsResponseObject, error) {
	p, err := principalOf(ctx)
	if err != nil {
		return nil, err
	}
	c := callFrom(ctx)
	if err := c.memory.take(filterRoom * len(given(req.Params.Filter))); err != nil {
		return nil, err
	}
	q, fields, err := readQuery(req.Params)
	if err != nil {
		return nil, err
	}
	q.Timeout = h.QueryTimeout
	scope := scope(p.OrgID, q.Filter, q.Sort, q.Desc)
	if text := given(req.Params.Cursor); text != "" {
		var ok bool
		if q.After, ok = h.cursors.open(text, scope); !ok {
			return nil, wrongParameter("cursor", "invalid cursor: it is not the next_cursor of a page with this filter and sort")
		}
	}
	ctx, read := c.reads(ctx)
	page, err := h.documentsOf(p).Page(ctx, q)
	if err == nil {
		err = read.settle(pageRoom(page.Documents, fields))
	}
	if err != nil {
		return nil, err
	}
	r := listResponse{page: page, fields: fields, total: q.Total}
	if page.Next != nil {
		if r.cursor, err = h.cursors.seal(*page.Next, scope); err != nil {
			return nil, &org.Error{Kind: org.Internal, Err: err}
		}
	}
	return r, nil
}

// given is a parameter, empty if it was left out.
func given(parameter *string) string {
	if parameter == nil {
		return ""
	}
	return *parameter
}

func wrongParameter(name, detail string) error {
	return &requestError{kind: malformed, fields: []fieldError{{Parameter: name, Detail: clip(detail, 1024)}}}
}

func readQuery(params api.ListDocumentsParams) (q tenant.PageQuery, fields tenant.Projection, err error) {
	q.Limit = defaultPage
	if params.Limit != nil {
		q.Limit = int(*params.Limit)
	}
	q.Total = params.Count != nil && *params.Count
	if params.Filter != nil {
		if q.Filter, err = readFilter(*params.Filter); err != nil {
			return q, nil, err
		}
	}
	if params.Sort != nil {
		if q.Sort, q.Desc, err = readSort(*params.Sort); err != nil {
			return q, nil, err
		}
	}
	if params.Fields != nil {
		fields, err = readFields(*params.Fields)
	}
	return q, fields, err
}

func readFilter(text string) (tenant.Filter, error) {
	raw, err := extjson.Parse([]byte(text), extjson.Filters)
	var wrong *extjson.Error
	if errors.As(err, &wrong) {
		return tenant.Filter{}, wrongParameter("filter", strings.TrimPrefix(wrong.Error(), "extjson: "))
	}
	if err != nil {
		return tenant.Filter{}, err
	}
	f, err := tenant.ParseFilter(raw)
	var refused *tenant.FilterError
	if errors.As(err, &refused) {
		return f, wrongParameter("filter", strings.TrimPrefix(refused.Error(), "docdb: filter: "))
	}
	return f, err
}

// readSort reads "_id", or paths, each with a "-" in front where it descends.
func readSort(text string) (sort []tenant.Key, desc bool, err error) {
	if text == "_id" || text == "-_id" {
		return nil, text == "-_id", nil
	}
	for _, part := range strings.Split(text, ",") {
		path, down := strings.CutPrefix(part, "-")
		problem := tenant.CheckPath(path)
		switch {
		case problem != "":
		case path == "_id":
			problem = "stands alone: it comes last in every order anyway"
		case slices.ContainsFunc(sort, func(key tenant.Key) bool { return key.Path == path }):
			problem = "is given more than once"
		case len(sort) == tenant.MaxIndexKeys:
			problem = "is one more than an index can have"
		}
		if problem != "" {
			return nil, false, wrongParameter("sort", strconv.Quote(path)+": "+problem)
		}
		sort = append(sort, tenant.Key{Path: path, Desc: down})
	}
	return sort, false, nil
}

// maxFields bounds the paths of a projection.
const maxFields = 100

func readFields(text string) (tenant.Projection, error) {
	paths := strings.Split(text, ",")
	if len(paths) > maxFields {
		return nil, wrongParameter("fields", "has more than "+strconv.Itoa(maxFields)+" paths")
	}
	for _, path := range paths {
		if problem := tenant.CheckPath(path); problem != "" {
			return nil, wrongParameter("fields", strconv.Quote(path)+": "+problem)
		}
	}
	return tenant.NewProjection(paths), nil
}

// A listResponse is a page of documents.
type listResponse struct {
	page   tenant.Page
	fields tenant.Projection
	cursor string
	total  bool
}

// VisitListDocumentsResponse implements api.ListDocumentsResponseObject.
func (r listResponse) VisitListDocumentsResponse(w http.ResponseWriter) error {
	a := newJSONAnswer(w, http.StatusOK, sizeOf(r.page.Documents))
	a.text = append(a.text, `{"items":[`...)
	var shown bson.Raw // one document's at a time
	for i, doc := range r.page.Documents {
		if i > 0 {
			a.text = append(a.text, ',')
		}
		shown = r.fields.Apply(shown[:0], doc.Body)
		if err := a.document(shown); err != nil {
			return err
		}
	}
	a.text = append(a.text, ']')
	if r.cursor != "" {
		a.text = append(append(append(a.text, `,"next_cursor":"`...), r.cursor...), '"')
	}
	if r.total {
		a.text = strconv.AppendInt(append(a.text, `,"total":`...), r.page.Total, 10)
	}
	a.text = append(a.text, '}')
	return a.end()
}

func sizeOf(docs []tenant.Document) (bytes int) {
	for _, doc := range docs {
		bytes += len(doc.Body)
	}
	return bytes
}

// pageRoom is what a page takes, and to answer with it: of a projection one document at
// a time.
func pageRoom(docs []tenant.Document, fields tenant.Projection) int {
	largest := 0
	if fields != nil {
		for _, doc := range docs {
			largest = max(largest, len(doc.Body))
		}
	}
	size := sizeOf(docs)
	return size + largest + answerRoom(size)
}
