// Package contract is openapi.yaml made ready for the server: what it says of each endpoint,
// and whether a request fits it. An endpoint is a method of a path, which the contract calls an
// operation; in the server an operation is a change of an organization.
package contract

import (
	"math"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"

	"github.com/orgd/orgd"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/policy"
)

// DocumentBodyLimit is the largest text of a document in bytes: of one of 16 MiB
// the text may be larger.
const DocumentBodyLimit = 32 << 20

// QueryBodyLimit is the largest text of a query in bytes: all that a list can be asked
// for, at its longest in characters of four bytes, and as much again.
const QueryBodyLimit = 128 << 10

// A Contract has the endpoints by the ids of their operations.
type Contract map[string]*Endpoint

// An Endpoint is what the server needs to know of one, worked out once.
type Endpoint struct {
	policy.Operation
	// Route is how openapi3filter knows the endpoint. Its security is empty:
	// openapi3filter reads the whole body before it authenticates, so the guard
	// authenticates by itself, first.
	Route *routers.Route
	Query map[string]bool       // the query parameters that it has
	Body  *openapi3.RequestBody // nil if it takes none
	// Document: the body is Extended JSON, which its handler reads by itself: what
	// openapi3filter makes of it has lost the order of names, and digits.
	Document bool
	// Extended are the properties of the body that are Extended JSON, which its handler
	// reads by itself, for the same reason.
	Extended []string
}

// Own is the server's own contract, parsed once for all servers of the process: that takes
// longer than all the rest of making a server.
var Own = sync.OnceValues(func() (Contract, error) { return Parse(orgd.OpenAPI) })

// Parse parses and validates a contract, so that no request waits for that.
func Parse(yaml string) (Contract, error) {
	doc, all, err := policy.Parse(yaml)
	if err != nil {
		return nil, err
	}
	ct := Contract{}
	for _, o := range all {
		ct[o.ID] = newEndpoint(doc, o)
	}
	return ct, nil
}

func newEndpoint(doc *openapi3.T, o policy.Operation) *Endpoint {
	open := *o.Spec
	open.Security = &openapi3.SecurityRequirements{}
	e := &Endpoint{
		Operation: o,
		Route:     &routers.Route{Spec: doc, Path: o.Path, PathItem: o.Item, Method: o.Method, Operation: &open},
		Query:     map[string]bool{},
	}
	for _, p := range o.Parameters() {
		if p.Value.In == openapi3.ParameterInQuery {
			e.Query[p.Value.Name] = true
		}
	}
	if open.RequestBody != nil {
		e.Body = open.RequestBody.Value
		for _, m := range e.Body.Content {
			if m.Schema != nil {
				e.Document = e.Document || isExtended(m.Schema)
				e.Extended = append(e.Extended, extendedOf(m.Schema.Value)...)
			}
		}
	}
	return e
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

// At returns the endpoint of that method and path, or nil.
func (ct Contract) At(method, path string) *Endpoint {
	for _, e := range ct {
		if e.Method == method && e.Path == path {
			return e
		}
	}
	return nil
}

// Watches: the endpoint only tells how an operation gets on, which the admins of an
// organization may know while it is being deleted.
func (e *Endpoint) Watches() bool { return e.Plane == policy.Tenant && e.Allows(org.StateDeleting) }

// BodyLimit is the largest body in bytes, the usual limit unless the endpoint has its own.
func (e *Endpoint) BodyLimit(usual int64) int64 {
	if e.Streams.Request() {
		return math.MaxInt64
	}
	if e.Document {
		return DocumentBodyLimit
	}
	if len(e.Extended) > 0 {
		return QueryBodyLimit
	}
	return usual
}
