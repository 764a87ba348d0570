package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/bsonappend"
	"github.com/orgd/orgd/internal/httpapi/jsondoc"
	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// documents is the access to the data of the organization that the request acts for. A bearer
// that was not admitted yet is admitted with what is asked of the data.
func (a *API) documents(ctx context.Context) (*tenant.Documents, error) {
	switch s := request.Of(ctx); {
	case s.Principal != nil:
		return a.Store.Documents(s.Principal.OrgID).Admitted(), nil
	case s.Bearer != nil:
		return a.Store.Documents(s.Bearer.OrgID).As(*s.Bearer), nil
	}
	return nil, request.ErrNoPrincipal
}

// CreateDocument implements api.StrictServerInterface.
func (h handlers) CreateDocument(ctx context.Context, req api.CreateDocumentRequestObject) (api.CreateDocumentResponseObject, error) {
	docs, err := h.documents(ctx)
	if err != nil {
		return nil, err
	}
	body, err := jsondoc.Take(ctx, req.Body)
	if err != nil {
		return nil, err
	}
	if err := request.Of(ctx).Memory.Take(jsondoc.StoreRoom * len(body)); err != nil {
		return nil, err
	}
	fresh, given := bson.NewObjectID(), request.Of(ctx).Claim.Document()
	if given != nil {
		fresh = given.ID
	}
	body = tenant.WithID(body, bson.RawValue{Type: bson.TypeObjectID, Value: fresh[:]})
	path, ok := pathOf(body.Lookup("_id"))
	if !ok {
		return nil, refusedID(unnameable)
	}
	doc, err := docs.InsertOnce(ctx, given, body)
	if err != nil {
		return nil, err
	}
	return documentResponse{doc: doc, status: http.StatusCreated, location: location(path)}, nil
}

// GetDocument implements api.StrictServerInterface.
func (h handlers) GetDocument(ctx context.Context, req api.GetDocumentRequestObject) (api.GetDocumentResponseObject, error) {
	docs, err := h.documents(ctx)
	if err != nil {
		return nil, err
	}
	ctx, read := request.Of(ctx).Reads(ctx)
	doc, err := docs.Get(ctx, idOf(req.ID))
	if err == nil {
		err = read.Settle(len(doc.Body) + jsondoc.AnswerRoom(len(doc.Body)))
	}
	if err != nil {
		return nil, err
	}
	return documentResponse{doc: doc, status: http.StatusOK}, nil
}

// PutDocument implements api.StrictServerInterface.
func (h handlers) PutDocument(ctx context.Context, req api.PutDocumentRequestObject) (api.PutDocumentResponseObject, error) {
	docs, err := h.documents(ctx)
	if err != nil {
		return nil, err
	}
	body, err := jsondoc.Take(ctx, req.Body)
	if err != nil {
		return nil, err
	}
	if err := request.Of(ctx).Memory.Take(jsondoc.StoreRoom * len(body)); err != nil {
		return nil, err
	}
	id := idOf(req.ID)
	path, ok := pathOf(id)
	if !ok {
		return nil, refusedID(unnameable)
	}
	if body = tenant.WithID(body, id); !body.Lookup("_id").Equal(id) {
		return nil, refusedID("is not the one that the path names")
	}
	cond := ifMatch(req.Params.IfMatch)
	cond.Absent = req.Params.IfNoneMatch != nil && *req.Params.IfNoneMatch == "*"
	ctx, _ = request.Of(ctx).Reads(ctx)
	doc, created, err := docs.Put(ctx, cond, body)
	if err != nil {
		return nil, err
	}
	if created {
		return documentResponse{doc: doc, status: http.StatusCreated, location: location(path)}, nil
	}
	return documentResponse{doc: doc, status: http.StatusOK}, nil
}

// PatchDocument implements api.StrictServerInterface.
func (h handlers) PatchDocument(ctx context.Context, req api.PatchDocumentRequestObject) (api.PatchDocumentResponseObject, error) {
	docs, err := h.documents(ctx)
	if err != nil {
		return nil, err
	}
	patch, err := jsondoc.Take(ctx, req.Body)
	if err != nil {
		return nil, err
	}
	id := idOf(req.ID)
	if given := patch.Lookup("_id"); given.Type != 0 && !given.Equal(id) {
		return nil, refusedID("cannot change")
	}
	state, took := request.Of(ctx), 0
	ctx, _ = state.Reads(ctx)
	doc, err := docs.Edit(ctx, id, ifMatch(req.Params.IfMatch), func(old tenant.Document) (bson.Raw, error) {
		state.Memory.Give(took)
		took = jsondoc.PatchRoom(len(old.Body), len(patch))
		if err := state.Memory.Take(took); err != nil {
			took = 0
			return nil, err
		}
		if err := state.Long(ctx, len(old.Body)+len(patch)); err != nil {
			return nil, err
		}
		defer state.Turn.Done()
		return tenant.MergePatch(old.Body, patch), nil
	})
	if err != nil {
		return nil, err
	}
	return documentResponse{doc: doc, status: http.StatusOK}, nil
}

// DeleteDocument implements api.StrictServerInterface.
func (h handlers) DeleteDocument(ctx context.Context, req api.DeleteDocumentRequestObject) (api.DeleteDocumentResponseObject, error) {
	docs, err := h.documents(ctx)
	if err != nil {
		return nil, err
	}
	ctx, _ = request.Of(ctx).Reads(ctx)
	if err := docs.Delete(ctx, idOf(req.ID), ifMatch(req.Params.IfMatch)); err != nil {
		return nil, err
	}
	return api.DeleteDocument204Response{}, nil
}

const unnameable = "must be an ObjectId or a string of 1 to 1024 characters that is not 24 hexadecimal digits, . or ..: a path could not name it"

func refusedID(detail string) error {
	return &org.Error{Kind: org.Invalid, Fields: []org.FieldError{{Field: "_id", Detail: detail}}}
}

// idOf returns the _id that a path names: 24 hexadecimal digits are an ObjectId.
func idOf(path string) bson.RawValue {
	if id, err := bson.ObjectIDFromHex(path); err == nil {
		return bson.RawValue{Type: bson.TypeObjectID, Value: id[:]}
	}
	return bson.RawValue{Type: bson.TypeString, Value: bsonappend.String(make([]byte, 0, len(path)+5), path)}
}

// pathOf is the reverse of idOf; false for an _id that no path names. A client may
// resolve "." and ".." by itself, however they are escaped.
func pathOf(id bson.RawValue) (string, bool) {
	if oid, ok := id.ObjectIDOK(); ok {
		return oid.Hex(), true
	}
	s, ok := id.StringValueOK()
	if !ok || s == "" || s == "." || s == ".." || len(s) > 4*maxID || len([]rune(s)) > maxID {
		return "", false
	}
	_, err := bson.ObjectIDFromHex(s)
	return s, err != nil
}

// maxID is maxLength of the contract's path parameter, in characters.
const maxID = 1024

func location(id string) string { return "/org/documents/" + url.PathEscape(id) }

// ifMatch reads an If-Match that fits the contract. A weak tag matches nothing
// (RFC 9110, 13.1.1).
func ifMatch(header *string) tenant.Condition {
	if header == nil || *header == "" {
		return tenant.Condition{}
	}
	if *header == "*" {
		return tenant.Condition{Present: true}
	}
	revisions := []string{}
	for rest := *header; ; {
		before, tag, ok := strings.Cut(rest, `"`)
		if !ok {
			return tenant.Condition{Revisions: revisions}
		}
		tag, rest, _ = strings.Cut(tag, `"`)
		if !strings.HasSuffix(before, "W/") {
			revisions = append(revisions, tag)
		}
	}
}

// A documentResponse is an answer with one document. It does not use the generated types, which
// would read the document once more.
type documentResponse struct {
	doc      tenant.Document
	status   int
	location string // empty: none
}

func (r documentResponse) write(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("ETag", `"`+r.doc.Revision+`"`)
	if r.location != "" {
		h.Set("Location", r.location)
	}
	a := jsondoc.NewAnswer(w, r.status, len(r.doc.Body))
	if err := a.Document(r.doc.Body); err != nil {
		return err
	}
	return a.End()
}

// VisitCreateDocumentResponse implements api.CreateDocumentResponseObject.
func (r documentResponse) VisitCreateDocumentResponse(w http.ResponseWriter) error { return r.write(w) }

// VisitGetDocumentResponse implements api.GetDocumentResponseObject.
func (r documentResponse) VisitGetDocumentResponse(w http.ResponseWriter) error { return r.write(w) }

// VisitPutDocumentResponse implements api.PutDocumentResponseObject.
func (r documentResponse) VisitPutDocumentResponse(w http.ResponseWriter) error { return r.write(w) }

// VisitPatchDocumentResponse implements api.PatchDocumentResponseObject.
func (r documentResponse) VisitPatchDocumentResponse(w http.ResponseWriter) error { return r.write(w) }
