package httpapi

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/extjson"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// documents is the access to the data of the organization that the request acts for. Where the
// bearer was not let in yet, what is asked of the data does that as well.
func (h handlers) documents(ctx context.Context) (*tenant.Documents, error) {
	switch c := callFrom(ctx); {
	case c.principal != nil:
		return h.Store.Documents(c.principal.OrgID).Admitted(), nil
	case c.bearer != nil:
		return h.Store.Documents(c.bearer.OrgID).As(*c.bearer), nil
	}
	return nil, errNoPrincipal
}

// CreateDocument implements api.StrictServerInterface.
func (h handlers) CreateDocument(ctx context.Context, req api.CreateDocumentRequestObject) (api.CreateDocumentResponseObject, error) {
	docs, err := h.documents(ctx)
	if err != nil {
		return nil, err
	}
	body, err := takeDocument(ctx, req.Body)
	if err != nil {
		return nil, err
	}
	if err := callFrom(ctx).memory.Take(storeRoom * len(body)); err != nil {
		return nil, err
	}
	fresh, given := bson.NewObjectID(), callFrom(ctx).claim.Document()
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
	ctx, read := callFrom(ctx).reads(ctx)
	doc, err := docs.Get(ctx, idOf(req.ID))
	if err == nil {
		err = read.settle(len(doc.Body) + answerRoom(len(doc.Body)))
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
	body, err := takeDocument(ctx, req.Body)
	if err != nil {
		return nil, err
	}
	if err := callFrom(ctx).memory.Take(storeRoom * len(body)); err != nil {
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
	ctx, _ = callFrom(ctx).reads(ctx)
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
	patch, err := takeDocument(ctx, req.Body)
	if err != nil {
		return nil, err
	}
	id := idOf(req.ID)
	if given := patch.Lookup("_id"); given.Type != 0 && !given.Equal(id) {
		return nil, refusedID("cannot change")
	}
	c, took := callFrom(ctx), 0
	ctx, _ = c.reads(ctx)
	doc, err := docs.Edit(ctx, id, ifMatch(req.Params.IfMatch), func(old tenant.Document) (bson.Raw, error) {
		c.memory.Give(took)
		took = patchRoom(len(old.Body), len(patch))
		if err := c.memory.Take(took); err != nil {
			took = 0
			return nil, err
		}
		if err := c.long(ctx, len(old.Body)+len(patch)); err != nil {
			return nil, err
		}
		defer c.turn.Done()
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
	ctx, _ = callFrom(ctx).reads(ctx)
	if err := docs.Delete(ctx, idOf(req.ID), ifMatch(req.Params.IfMatch)); err != nil {
		return nil, err
	}
	return api.DeleteDocument204Response{}, nil
}

// readDocument reads the body of a request.
func readDocument(text []byte) (bson.Raw, error) {
	doc, err := extjson.Parse(text, extjson.Documents)
	var wrong *extjson.Error
	switch {
	case errors.As(err, &wrong) && wrong.TooLarge:
		return nil, org.Errorf(org.TooLarge, "The document is larger than 16 MiB.")
	case wrong != nil:
		return nil, &problem.Refusal{Kind: problem.Malformed, Fields: []problem.Field{{Pointer: problem.Pointer(wrong.Path...), Detail: problem.Clip(wrong.Reason, 1024)}}}
	case err != nil:
		return nil, err
	}
	if name, refused := tenant.CheckNames(doc); refused != "" {
		return nil, &problem.Refusal{Kind: problem.Malformed, Fields: []problem.Field{{Pointer: problem.Pointer(name), Detail: refused}}}
	}
	return doc, nil
}

const unnameable = "must be an ObjectId or a string of 1 to 1024 characters that is not 24 hexadecimal digits, . or ..: a path could not name it"

func refusedID(detail string) error {
	return &org.Error{Kind: org.Invalid, Message: "A value is refused.", Fields: []org.FieldError{{Field: "_id", Detail: detail}}}
}

// idOf returns the _id that a path names: 24 hexadecimal digits are an ObjectId.
func idOf(path string) bson.RawValue {
	if id, err := bson.ObjectIDFromHex(path); err == nil {
		return bson.RawValue{Type: bson.TypeObjectID, Value: id[:]}
	}
	value := binary.LittleEndian.AppendUint32(make([]byte, 0, len(path)+5), uint32(len(path)+1))
	return bson.RawValue{Type: bson.TypeString, Value: append(append(value, path...), 0)}
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

// A documentResponse is an answer with one document, written without a detour
// through the generated types, which would read it once more.
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
	a := newJSONAnswer(w, r.status, len(r.doc.Body))
	if err := a.document(r.doc.Body); err != nil {
		return err
	}
	return a.end()
}

// VisitCreateDocumentResponse implements api.CreateDocumentResponseObject.
func (r documentResponse) VisitCreateDocumentResponse(w http.ResponseWriter) error { return r.write(w) }

// VisitGetDocumentResponse implements api.GetDocumentResponseObject.
func (r documentResponse) VisitGetDocumentResponse(w http.ResponseWriter) error { return r.write(w) }

// VisitPutDocumentResponse implements api.PutDocumentResponseObject.
func (r documentResponse) VisitPutDocumentResponse(w http.ResponseWriter) error { return r.write(w) }

// VisitPatchDocumentResponse implements api.PatchDocumentResponseObject.
func (r documentResponse) VisitPatchDocumentResponse(w http.ResponseWriter) error { return r.write(w) }
