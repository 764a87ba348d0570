package contracttest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
)

// ofTransport are the headers that HTTP and TLS have for themselves, and what the body
// says of itself. Any other header of an answer is for the contract to declare.
var ofTransport = []string{
	"Connection", "Content-Encoding", "Content-Length", "Content-Type", "Date", "Strict-Transport-Security", "Transfer-Encoding",
}

// checkHeaders holds the headers of an answer against those that the contract declares
// for it: it has those that are required, each once and of the declared value, and no
// others. HEAD has those of GET. What the contract does not list, as 404 and 405 of any
// path, has the headers that all listed problems, or else all listed answers, have in
// common; of others nothing can be said.
func (c *Contract) checkHeaders(req *http.Request, resp *http.Response) []error {
	declared := c.declaredHeaders(req, resp.StatusCode)
	listed := declared != nil
	if !listed {
		declared = c.common[resp.StatusCode >= 400]
	}
	var wrong []error
	names := map[string]bool{} // as HTTP spells them
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		names[http.CanonicalHeaderKey(name)] = true
		if err := checkHeader(declared[name].Value, resp.Header.Values(name)); err != nil {
			wrong = append(wrong, fmt.Errorf("the header %s %w", name, err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		if listed && !names[name] && !slices.Contains(ofTransport, name) {
			wrong = append(wrong, fmt.Errorf("the header %s is not declared for this answer", name))
		}
	}
	return wrong
}

// declaredHeaders are those of a listed answer; nil for any other.
func (c *Contract) declaredHeaders(req *http.Request, status int) openapi3.Headers {
	if req.Method == http.MethodHead {
		req = req.Clone(req.Context())
		req.Method = http.MethodGet
	}
	route, _ := c.operation(req)
	if route == nil {
		return nil
	}
	if ref := route.Operation.Responses.Status(status); ref != nil {
		return ref.Value.Headers
	}
	return nil
}

// commonHeaders are those that all listed answers have, or all problems among them.
func (c *Contract) commonHeaders(problems bool) openapi3.Headers {
	var common openapi3.Headers
	for _, ref := range c.allResponses() {
		if problems && ref.Value.Content.Get("application/problem+json") == nil {
			continue
		}
		if common == nil {
			common = maps.Clone(ref.Value.Headers)
		}
		maps.DeleteFunc(common, func(name string, one *openapi3.HeaderRef) bool {
			other := ref.Value.Headers[name]
			return other == nil || other.Value != one.Value
		})
	}
	return common
}

// allResponses are the listed answers.
func (c *Contract) allResponses() map[Response]*openapi3.ResponseRef {
	all := map[Response]*openapi3.ResponseRef{}
	for _, item := range c.doc.Paths.Map() {
		for _, o := range item.Operations() {
			for status, ref := range o.Responses.Map() {
				code, _ := strconv.Atoi(status) // 0 of "default" and of ranges
				all[Response{o.OperationID, code}] = ref
			}
		}
	}
	return all
}

// checkHeader returns what is wrong with the values of a header.
func checkHeader(h *openapi3.Header, values []string) error {
	switch {
	case len(values) == 0 && h.Required:
		return fmt.Errorf("is missing")
	case len(values) == 0:
		return nil
	case len(values) > 1:
		return fmt.Errorf("comes more than once: %q", values)
	}
	var value any = values[0]
	if h.Schema.Value.Type.Is(openapi3.TypeInteger) {
		n, err := strconv.ParseInt(values[0], 10, 64)
		if err != nil {
			return fmt.Errorf("is no number: %q", values[0])
		}
		value = float64(n)
	}
	if err := h.Schema.Value.VisitJSON(value, answerFormats...); err != nil {
		return fmt.Errorf("is %q: %w", values[0], err)
	}
	return nil
}

// HeaderCases lists the headers that an answer need not have, each as there and as not.
func (c *Contract) HeaderCases() []HeaderCase {
	var all []HeaderCase
	for r, ref := range c.allResponses() {
		all = append(all, headerCases(r, ref.Value.Headers)...)
	}
	slices.SortFunc(all, func(a, b HeaderCase) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// A HeaderCase is a header that an answer may have or not, and which of both.
type HeaderCase struct {
	Response
	Header string
	There  bool
}

// String says it all.
func (h HeaderCase) String() string {
	return h.Response.String() + map[bool]string{true: " with ", false: " without "}[h.There] + h.Header
}

// headerCases lists what is to be seen of an answer's headers: those that are not
// required are, both ways.
func headerCases(r Response, headers openapi3.Headers) []HeaderCase {
	var all []HeaderCase
	for name, ref := range headers {
		if !ref.Value.Required {
			all = append(all, HeaderCase{r, name, true}, HeaderCase{r, name, false})
		}
	}
	return all
}

// headerCasesOf are those that an answer is a case of.
func headerCasesOf(route *routers.Route, resp *http.Response) []HeaderCase {
	ref := route.Operation.Responses.Status(resp.StatusCode)
	if ref == nil {
		return nil
	}
	return slices.DeleteFunc(headerCases(Response{route.Operation.OperationID, resp.StatusCode}, ref.Value.Headers),
		func(h HeaderCase) bool { return h.There != (resp.Header.Get(h.Header) != "") })
}
