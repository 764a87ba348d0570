package httpapi

import (
	"maps"
	"math"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"

	"github.com/orgd/orgd"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/policy"
)

// A contract is openapi.yaml made ready for the guard: operations by id.
type contract map[string]*operation

// An operation is what the guard needs to know of one, worked out once.
type operation struct {
	policy.Operation
	// route is how openapi3filter knows the operation. Its security is empty:
	// openapi3filter reads the whole body before it authenticates, so the guard
	// authenticates by itself, first.
	route *routers.Route
	query map[string]bool // the query parameters it declares
	body  *openapi3.RequestBody
	// document: the body is Extended JSON, which its handler reads by itself: what
	// openapi3filter makes of it has lost the order of names, and digits.
	document bool
	// extended are the properties of the body that are Extended JSON, which its handler
	// reads by itself, for the same reason.
	extended []string
}

// ownContract is openapi.yaml, read once for all servers of the process: it takes longer
// than all the rest of putting one together.
var ownContract = sync.OnceValues(func() (contract, error) { return loadContract(orgd.OpenAPI) })

// loadContract parses and validates the document, so that no request waits for that.
func loadContract(yaml string) (contract, error) {
	doc, all, err := policy.Parse(yaml)
	if err != nil {
		return nil, err
	}
	ct := contract{}
	for _, o := range all {
		ct[o.ID] = newOperation(doc, o)
	}
	return ct, nil
}

func newOperation(doc *openapi3.T, o policy.Operation) *operation {
	open := *o.Spec
	open.Security = &openapi3.SecurityRequirements{}
	op := &operation{
		Operation: o,
		route:     &routers.Route{Spec: doc, Path: o.Path, PathItem: o.Item, Method: o.Method, Operation: &open},
		query:     map[string]bool{},
	}
	for _, p := range o.Parameters() {
		if p.Value.In == openapi3.ParameterInQuery {
			op.query[p.Value.Name] = true
		}
	}
	if open.RequestBody != nil {
		op.body = open.RequestBody.Value
		for _, m := range op.body.Content {
			if m.Schema != nil {
				op.document = op.document || isExtended(m.Schema)
				op.extended = append(op.extended, extendedOf(m.Schema.Value)...)
			}
		}
	}
	return op
}

func isExtended(s *openapi3.SchemaRef) bool { return s.Value.Extensions["x-extended-json"] == true }

func extendedOf(s *openapi3.Schema) (names []string) {
	for name, property := range s.Properties {
		if isExtended(property) {
			names = append(names, name)
		}
	}
	return names
}

// at returns the operation of that method and path, or nil.
func (ct contract) at(method, path string) *operation {
	for _, op := range ct {
		if op.Method == method && op.Path == path {
			return op
		}
	}
	return nil
}

// watches: it only tells how a change gets on, which the admins of an organization may know
// while that is being deleted.
func (op *operation) watches() bool { return op.Plane == policy.Tenant && op.Allows(org.StateDeleting) }

// limit is the largest body in bytes.
func (op *operation) limit(usual int64) int64 {
	if op.Streams.Request() {
		return math.MaxInt64
	}
	if op.document {
		return DocumentBodyLimit
	}
	if len(op.extended) > 0 {
		return QueryBodyLimit
	}
	return usual
}

// takes reports whether that is a media type of the operation's body.
func (op *operation) takes(mediaType string) bool {
	return op.body.Content[mediaType] != nil
}

// bodyType returns the operation's media type that the request names, or what
// to send instead.
func bodyType(op *operation, h http.Header) (mediaType, refused string) {
	wanted := "Send Content-Type: " + strings.Join(slices.Sorted(maps.Keys(op.body.Content)), " or ") + "."
	if encoding := h.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return "", "Send the body without Content-Encoding."
	}
	given := h["Content-Type"]
	if len(given) != 1 {
		return "", wanted
	}
	mediaType, params, err := mime.ParseMediaType(given[0])
	if err != nil || !op.takes(mediaType) {
		return "", wanted
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return "", "Send the body in UTF-8."
	}
	return mediaType, ""
}

// checkStream looks at a stream without reading it: that is its handler's.
func checkStream(op *operation, h http.Header) error {
	mediaType, refused := bodyType(op, h)
	if refused != "" {
		return &problem.Refusal{Kind: problem.UnsupportedMediaType, Detail: refused}
	}
	h["Content-Type"] = []string{mediaType}
	return nil
}
