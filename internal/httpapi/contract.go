package httpapi

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
)

// A contract is openapi.yaml made ready for the guard: operations by id.
type contract map[string]*operation

// An operation is what the guard needs to know of one, worked out once.
type operation struct {
	id string
	// route is how openapi3filter knows the operation. Its security is empty:
	// openapi3filter reads the whole body before it authenticates, so the guard
	// authenticates by itself, first.
	route *routers.Route
	auth  authentication
	// watches: it only tells how an operation gets on, which the admins of an
	// organization may know while that is being deleted.
	watches bool
	query   map[string]bool // the query parameters it declares
	body    *openapi3.RequestBody
	// document: the body is Extended JSON, which its handler reads by itself: what
	// openapi3filter makes of it has lost the order of names, and digits.
	document bool
	// extended are the properties of the body that are Extended JSON, which its handler
	// reads by itself, for the same reason.
	extended []string
	// idempotent: it takes an idempotency key.
	idempotent bool
	// decides: its handler authenticates the bearer, together with what it reads.
	decides bool
	// data: it reads or writes an organization's documents.
	data  bool
	quiet bool // is asked every few seconds and logged at debug level only
}

// authentication says whether an operation wants a bearer token, or which key.
type authentication int

const (
	public   authentication = iota // no; one that comes is not looked at
	optional                       // none will do, but a bad one is refused
	required
	operator // the operator's key, which is no token
)

// loadContract parses and validates the document, which compiles the patterns
// of its schemas as well, so that no request waits for that.
func loadContract(yaml string) (contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData([]byte(yaml))
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	ct := contract{}
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			op, err := newOperation(doc, path, method, item, *o)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			ct[op.id] = op
		}
	}
	return ct, nil
}

func newOperation(doc *openapi3.T, path, method string, item *openapi3.PathItem, o openapi3.Operation) (*operation, error) {
	security := doc.Security
	if o.Security != nil {
		security = *o.Security
	}
	auth, err := authenticationOf(security)
	if err != nil {
		return nil, err
	}
	o.Security = &openapi3.SecurityRequirements{}
	op := &operation{
		id:    o.OperationID,
		route: &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: &o},
		auth:  auth,
		query: map[string]bool{},
		quiet: slices.Contains(o.Tags, "health"),

		watches: slices.Contains(o.Tags, "operations"),
		data:    slices.Contains(o.Tags, "documents"),
		decides: o.OperationID == "getDocument",
	}
	for _, parameters := range []openapi3.Parameters{item.Parameters, o.Parameters} {
		for _, p := range parameters {
			if p.Value.In == openapi3.ParameterInQuery {
				op.query[p.Value.Name] = true
			}
			op.idempotent = op.idempotent || p.Value.Name == idempotencyKey
		}
	}
	if o.RequestBody != nil {
		op.body = o.RequestBody.Value
		for _, m := range op.body.Content {
			if m.Schema != nil {
				op.document = op.document || isExtended(m.Schema)
				op.extended = append(op.extended, extendedOf(m.Schema.Value)...)
			}
		}
	}
	return op, nil
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

// authenticationOf refuses what it does not know, so that a new scheme in the
// contract can never be taken for "public".
func authenticationOf(security openapi3.SecurityRequirements) (authentication, error) {
	if len(security) == 1 && isExactly(security[0], "operatorKey") {
		return operator, nil
	}
	auth := public
	for _, requirement := range security {
		if len(requirement) == 0 {
			continue
		}
		if !isExactly(requirement, "bearerAuth") {
			return 0, fmt.Errorf("cannot enforce the security requirement %v", requirement)
		}
		auth = required
	}
	for _, requirement := range security {
		if len(requirement) == 0 && auth == required {
			auth = optional
		}
	}
	return auth, nil
}

func isExactly(requirement openapi3.SecurityRequirement, scheme string) bool {
	scopes, ok := requirement[scheme]
	return ok && len(requirement) == 1 && len(scopes) == 0
}

// at returns the operation of that method and path, or nil.
func (ct contract) at(method, path string) *operation {
	for _, op := range ct {
		if op.route.Method == method && op.route.Path == path {
			return op
		}
	}
	return nil
}

// limit is the largest body in bytes.
func (op *operation) limit(usual int64) int64 {
	if op.streams() {
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
