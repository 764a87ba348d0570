// Package contracttest holds the answers that tests get against openapi.yaml. Its
// Transport is an http.RoundTripper that fails its test on every answer that the
// contract does not document, and counts those that it does, so that another test
// can ask which of them no test has got.
package contracttest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/orgd/orgd"
)

// A Contract is openapi.yaml, ready to check answers.
type Contract struct {
	doc     *openapi3.T // with every object closed, to hold answers against
	asked   *openapi3.T // as it is written, to draw requests from
	router  routers.Router
	problem *openapi3.Schema
	common  map[bool]openapi3.Headers // of all answers, and, by true, of all problems
}

// Load returns the contract, which it reads once.
var Load = sync.OnceValues(func() (*Contract, error) { return Parse(orgd.OpenAPI) })

// registerDecoders is for the media types that openapi3filter has none for.
var registerDecoders = sync.OnceFunc(func() {
	for _, mediaType := range []string{"text/html", linesType} {
		openapi3filter.RegisterBodyDecoder(mediaType, openapi3filter.PlainBodyDecoder)
	}
})

// Parse reads a contract, which a test of this package may have made up.
func Parse(yaml string) (*Contract, error) {
	registerDecoders()
	doc, err := parse(yaml)
	if err != nil {
		return nil, err
	}
	asked, err := parse(yaml)
	if err != nil {
		return nil, err
	}
	problem := doc.Components.Schemas["Problem"]
	if problem == nil {
		return nil, errors.New("the contract has no schema Problem")
	}
	for _, schema := range doc.Components.Schemas {
		closeObjects(schema)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("read the routes of the contract: %w", err)
	}
	c := &Contract{doc: doc, asked: asked, router: router, problem: problem.Value}
	c.common = map[bool]openapi3.Headers{false: c.commonHeaders(false), true: c.commonHeaders(true)}
	return c, nil
}

func parse(yaml string) (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData([]byte(yaml))
	if err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	doc.Servers = nil // tests are on ports of their own
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("validate the contract: %w", err)
	}
	return doc, nil
}

// closeObjects makes properties that a schema does not name an error. Clients have
// to put up with new properties, which is why the contract does not say so; in a
// test such a property is shown by mistake. What is composed of
// several schemas cannot be closed part by part and is left as it is.
func closeObjects(ref *openapi3.SchemaRef) {
	if ref == nil || ref.Value == nil || ref.Ref != "" {
		return // what a reference leads to is in the components too
	}
	s := ref.Value
	if len(s.AllOf)+len(s.AnyOf)+len(s.OneOf) > 0 {
		return
	}
	if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
		no := false
		s.AdditionalProperties.Has = &no
	}
	for _, property := range s.Properties {
		closeObjects(property)
	}
	closeObjects(s.Items)
}

// A Response is an answer that the contract documents.
type Response struct {
	Operation string // its operationId
	Status    int
}

// String returns both.
func (r Response) String() string { return r.Operation + " " + strconv.Itoa(r.Status) }

// Responses lists all that the contract documents, by operation and status.
func (c *Contract) Responses() []Response {
	var all []Response
	for _, item := range c.doc.Paths.Map() {
		for _, op := range item.Operations() {
			for status := range op.Responses.Map() {
				code, err := strconv.Atoi(status)
				if err != nil {
					continue // "default", or a range such as 5XX
				}
				all = append(all, Response{op.OperationID, code})
			}
		}
	}
	slices.SortFunc(all, func(a, b Response) int {
		return cmp.Or(cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Status, b.Status))
	})
	return all
}

// Codes lists what the code of a problem can be.
func (c *Contract) Codes() []string {
	var all []string
	if code := c.problem.Properties["code"]; code != nil {
		for _, one := range code.Value.Enum {
			all = append(all, fmt.Sprint(one))
		}
	}
	return all
}

// Methods returns the methods that the contract has for each of its paths.
func (c *Contract) Methods() map[string][]string {
	all := map[string][]string{}
	for path := range c.doc.Paths.Map() {
		for template, item := range c.doc.Paths.Map() {
			if !covers(template, path) {
				continue
			}
			for method := range item.Operations() {
				all[path] = append(all[path], method)
			}
		}
	}
	return all
}

// covers reports whether a path is one of a template's, as /org/documents/query is one of
// /org/documents/{id}; a template is its own.
func covers(template, path string) bool {
	parts, segments := strings.Split(template, "/"), strings.Split(path, "/")
	return slices.EqualFunc(parts, segments, func(part, segment string) bool {
		return part == segment || strings.HasPrefix(part, "{") && !strings.HasPrefix(segment, "{")
	})
}

// operation returns the route of a request and its operationId; nil and "" for what
// is not in the contract.
func (c *Contract) operation(req *http.Request) (*routers.Route, string) {
	route, _, err := c.router.FindRoute(req)
	if err != nil {
		return nil, ""
	}
	// The router is lenient: it takes a slash at the end, or %2F, for what it is not.
	path := req.URL.EscapedPath()
	if strings.Count(path, "/") != strings.Count(route.Path, "/") || !strings.Contains(route.Path, "{") && path != route.Path {
		return nil, ""
	}
	return route, route.Operation.OperationID
}
