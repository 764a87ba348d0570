package contracttest

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// Check returns what is wrong with an answer by the contract. Of requests that the
// contract does not have it asks only what it says of all answers: which headers
// they have, and that errors are problems.
func (c *Contract) Check(req *http.Request, resp *http.Response, body []byte) []error {
	wrong := c.checkHeaders(req, resp)
	own, told := req.Header.Get("X-Request-Id"), resp.Header.Get("X-Request-Id")
	if own != "" && (told == own) != c.isRequestID(own) {
		wrong = append(wrong, fmt.Errorf("X-Request-Id is %q, the request's was %q", told, own))
	}
	if resp.StatusCode >= 400 && req.Method != http.MethodHead {
		wrong = append(wrong, c.checkProblem(resp, body)...)
	}
	route, _ := c.operation(req)
	if route == nil {
		return wrong
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: route},
		Status:                 resp.StatusCode, Header: resp.Header,
		Options: &openapi3filter.Options{MultiError: true, IncludeResponseStatus: true, SchemaValidationOptions: answerFormats},
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(req.Context(), input); err != nil {
		wrong = append(wrong, err)
	}
	return append(wrong, c.checkLines(route, resp, body)...)
}

// checkProblem looks at what ties a problem to the answer that it is in, and at the
// form of those that the contract does not list, such as 405.
func (c *Contract) checkProblem(resp *http.Response, body []byte) []error {
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		return []error{fmt.Errorf("an error comes as %q", got)}
	}
	var p any
	if err := json.Unmarshal(body, &p); err != nil {
		return []error{fmt.Errorf("read the problem: %w", err)}
	}
	var wrong []error
	if err := c.problem.VisitJSON(p, append(answerFormats, openapi3.MultiErrors(), openapi3.VisitAsResponse())...); err != nil {
		return []error{fmt.Errorf("not a problem: %w", err)}
	}
	fields := p.(map[string]any) // the schema says so
	if id := resp.Header.Get("X-Request-Id"); fields["request_id"] != id {
		wrong = append(wrong, fmt.Errorf("request_id is %v, X-Request-Id is %q", fields["request_id"], id))
	}
	if fields["status"] != float64(resp.StatusCode) {
		wrong = append(wrong, fmt.Errorf("the problem's status is %v", fields["status"]))
	}
	return wrong
}

// isRequestID reports whether orgd takes that id of a request over: it replaces an id that
// an answer could not carry.
func (c *Contract) isRequestID(id string) bool {
	h := c.doc.Components.Headers["X-Request-Id"]
	return h != nil && checkHeader(h.Value, []string{id}) == nil
}
