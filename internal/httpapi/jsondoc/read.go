// Package jsondoc reads documents from the JSON text of requests, and writes them as the JSON
// text of answers. It knows what memory each of that takes, and takes it from what the request
// holds.
package jsondoc

import (
	"context"
	"encoding/json"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/extjson"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// Read makes a document of its text.
func Read(text []byte) (bson.Raw, error) {
	doc, err := extjson.Parse(text, extjson.Documents)
	var wrong *extjson.Error
	switch {
	case errors.As(err, &wrong) && wrong.TooLarge:
		return nil, org.TooLarge
	case wrong != nil:
		return nil, problem.Misfit(problem.Field{Pointer: problem.Pointer(wrong.Path...), Detail: problem.Clip(wrong.Reason, 1024)})
	case err != nil:
		return nil, err
	}
	if name, refused := tenant.CheckNames(doc); refused != "" {
		return nil, problem.Misfit(problem.Field{Pointer: problem.Pointer(name), Detail: refused})
	}
	return doc, nil
}

// Take makes a document of the body of the request whose context it is, and lets go of the body.
func Take(ctx context.Context, body *json.RawMessage) (bson.Raw, error) {
	s := request.Of(ctx)
	if err := s.Long(ctx, len(*body)); err != nil {
		return nil, err
	}
	defer s.Turn.Done()
	doc, err := parseWithin(&s.Memory, *body)
	s.Memory.Give(cap(*body))
	*body, s.Body, s.Document = nil, nil, nil
	return doc, err
}

// slack is how many bytes beyond twice its length a document may have before it is copied.
const slack = 1 << 10

// parseWithin is Read for a caller that holds the memory of the document then.
func parseWithin(held *memory.Hold, text []byte) (bson.Raw, error) {
	room := ParseRoom(text)
	if err := held.Take(room); err != nil {
		return nil, err
	}
	doc, err := Read(text)
	if cap(doc) > 2*len(doc)+slack { // as of a text with much space in it
		doc = append(make(bson.Raw, 0, len(doc)), doc...)
	}
	held.Give(room - cap(doc))
	return doc, err
}
