package httpapi

import (
	"context"
	"fmt"
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
	query map[string]bool // the query parameters it declares
	body  *openapi3.RequestBody
	quiet bool // is asked every few seconds and logged at debug level only
}

// authentication says whether an operation wants a bearer token.
type authentication int

const (
	public   authentication = iota // no; one that comes is not looked at
	optional                       // none will do, but a bad one is refused
	required
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
	}
	for _, parameters := range []openapi3.Parameters{item.Parameters, o.Parameters} {
		for _, p := range parameters {
			if p.Value.In == openapi3.ParameterInQuery {
				op.query[p.Value.Name] = true
			}
		}
	}
	if o.RequestBody != nil {
		op.body = o.RequestBody.Value
	}
	return op, nil
}

// authenticationOf refuses what it does not know, so that a new scheme in the
// contract can never be taken for "public".
func authenticationOf(security openapi3.SecurityRequirements) (authentication, error) {
	auth := public
	for _, requirement := range security {
		if len(requirement) == 0 {
			continue
		}
		if scopes, ok := requirement["bearerAuth"]; !ok || len(requirement) > 1 || len(scopes) > 0 {
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

// at returns the operation of that method and path, or nil.
func (ct contract) at(method, path string) *operation {
	for _, op := range ct {
		if op.route.Method == method && op.route.Path == path {
			return op
		}
	}
	return nil
}

// takes reports whether that is a media type of the operation's body.
func (op *operation) takes(mediaType string) bool {
	return op.body.Content[mediaType] != nil
}
