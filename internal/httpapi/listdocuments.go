package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/httpapi/jsondoc"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// defaultPage is the default of limit in the contract.
const defaultPage = 100

// ListDocuments implements api.StrictServerInterface.
func (h handlers) ListDocuments(ctx context.Context, req api.ListDocumentsRequestObject) (api.ListDocumentsResponseObject, error) {
	p := req.Params
	return h.list(ctx, api.DocumentQuery{
		Filter: filterOf(p.Filter), Sort: p.Sort, Limit: p.Limit, Cursor: p.Cursor, Fields: p.Fields, Count: p.Count,
	})
}

// QueryDocuments implements api.StrictServerInterface.
func (h handlers) QueryDocuments(ctx context.Context, req api.QueryDocumentsRequestObject) (api.QueryDocumentsResponseObject, error) {
	return h.list(ctx, *req.Body)
}

// list answers both endpoints, whose cursors are the same.
func (a *API) list(ctx context.Context, in api.DocumentQuery) (*listResponse, error) {
	p, err := request.Principal(ctx)
	if err != nil {
		return nil, err
	}
	q, fields, err := readQuery(ctx, in)
	if err != nil {
		return nil, err
	}
	q.Timeout = a.QueryTimeout
	scope := scope(p.OrgID, q.Filter, q.Sort, q.Desc)
	if text := given(in.Cursor); text != "" {
		var ok bool
		if q.After, ok = a.cursors.open(text, scope); !ok {
			return nil, problem.Input("cursor", "invalid cursor: it is not the next_cursor of a page with this filter and sort")
		}
	}
	ctx, read := request.Of(ctx).Reads(ctx)
	page, err := a.Store.Documents(p.OrgID).Admitted().Page(ctx, q)
	if err == nil {
		err = read.Settle(pageRoom(page.Documents, fields))
	}
	if err != nil {
		return nil, err
	}
	r := &listResponse{page: page, fields: fields, total: q.Total}
	if page.Next != nil {
		if r.cursor, err = a.cursors.seal(*page.Next, scope); err != nil {
			return nil, &org.Error{Kind: org.Internal, Err: err}
		}
	}
	return r, nil
}

// given is a text, empty if it was left out.
func given(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func readQuery(ctx context.Context, in api.DocumentQuery) (q tenant.PageQuery, fields tenant.Projection, err error) {
	q.Limit = defaultPage
	if in.Limit != nil {
		q.Limit = int(*in.Limit)
	}
	q.Total = in.Count != nil && *in.Count
	if q.Filter, err = takeFilter(ctx, in.Filter); err != nil {
		return q, nil, err
	}
	if in.Sort != nil {
		if q.Sort, q.Desc, err = readSort(*in.Sort); err != nil {
			return q, nil, err
		}
	}
	if in.Fields != nil {
		fields, err = readFields(*in.Fields)
	}
	return q, fields, err
}

// readSort reads "_id", or paths, each with a "-" in front where it descends.
func readSort(text string) (sort []tenant.Key, desc bool, err error) {
	if text == "_id" || text == "-_id" {
		return nil, text == "-_id", nil
	}
	for _, part := range strings.Split(text, ",") {
		path, down := strings.CutPrefix(part, "-")
		refused := tenant.CheckPath(path)
		switch {
		case refused != "":
		case path == "_id":
			refused = "stands alone: it comes last in every order anyway"
		case slices.ContainsFunc(sort, func(key tenant.Key) bool { return key.Path == path }):
			refused = "is given more than once"
		case len(sort) == tenant.MaxIndexKeys:
			refused = "is one more than an index can have"
		}
		if refused != "" {
			return nil, false, problem.Input("sort", strconv.Quote(path)+": "+refused)
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
		return nil, problem.Input("fields", "has more than "+strconv.Itoa(maxFields)+" paths")
	}
	for _, path := range paths {
		if refused := tenant.CheckPath(path); refused != "" {
			return nil, problem.Input("fields", strconv.Quote(path)+": "+refused)
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
func (r *listResponse) VisitListDocumentsResponse(w http.ResponseWriter) error { return r.write(w) }

// VisitQueryDocumentsResponse implements api.QueryDocumentsResponseObject.
func (r *listResponse) VisitQueryDocumentsResponse(w http.ResponseWriter) error { return r.write(w) }

func (r *listResponse) write(w http.ResponseWriter) error {
	a := jsondoc.NewAnswer(w, http.StatusOK, sizeOf(r.page.Documents))
	a.Raw(`{"items":[`)
	var shown bson.Raw // one document's at a time
	for i, doc := range r.page.Documents {
		if i > 0 {
			a.Raw(`,`)
		}
		if err := a.ShareFor(len(doc.Body)); err != nil { // of which fields may show little
			return err
		}
		shown = r.fields.Apply(shown[:0], doc.Body)
		if err := a.Document(shown); err != nil {
			return err
		}
	}
	a.Raw(`]`)
	if r.cursor != "" {
		a.Raw(`,"next_cursor":"` + r.cursor + `"`)
	}
	if r.total {
		a.Raw(`,"total":` + strconv.FormatInt(r.page.Total, 10))
	}
	a.Raw(`}`)
	return a.End()
}

func sizeOf(docs []tenant.Document) (bytes int) {
	for _, doc := range docs {
		bytes += len(doc.Body)
	}
	return bytes
}

// pageRoom is the memory for a page and for the answer with it. Of a projection one document at
// a time is in memory.
func pageRoom(docs []tenant.Document, fields tenant.Projection) int {
	largest := 0
	if fields != nil {
		for _, doc := range docs {
			largest = max(largest, len(doc.Body))
		}
	}
	size := sizeOf(docs)
	return size + largest + jsondoc.AnswerRoom(size)
}
