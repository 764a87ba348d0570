package contract

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/orgd/orgd/internal/httpapi/problem"
)

// Validate holds a request against the contract, and says what is wrong with it. The path's and
// the query's parameters and the body were read before.
func (e *Endpoint) Validate(r *http.Request, path map[string]string, query url.Values, body []byte) []problem.Field {
	options := &validation
	if e.Document || e.Streams.Request() {
		options = &allButBody
	}
	wrong := e.CheckQuery(r.URL.RawQuery, query)
	if e.Document && len(body) == 0 {
		wrong = append(wrong, problem.Field{Pointer: "#", Detail: "is required"})
	}
	wrong = append(wrong, violations(openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: r, Route: e.Route, PathParams: path, QueryParams: query, Options: options,
	}))...)
	return wrong[:min(len(wrong), maxFieldErrors)]
}

// maxFieldErrors is maxItems of the contract's Problem.errors.
const maxFieldErrors = 100

// validation reports everything at once; hands the handler the very value that
// was validated, because decoding the bytes again with encoding/json would also
// take "ROLE" for "role"; and leaves defaults to the handlers.
var validation = openapi3filter.Options{
	MultiError:          true,
	KeepValidatedValue:  true,
	SkipSettingDefaults: true,
}

// allButBody is validation for endpoints whose body openapi3filter does not read.
var allButBody = openapi3filter.Options{MultiError: true, SkipSettingDefaults: true, ExcludeRequestBody: true}

// CheckQuery says what is wrong with the parameters of a query, whatever their schemas: a
// parameter that the endpoint does not have or that comes twice, and bytes that are no text.
// The values are those of the raw query, without the parts that are not well-formed.
func (e *Endpoint) CheckQuery(raw string, values url.Values) []problem.Field {
	var wrong []problem.Field
	switch {
	case !wellFormed(raw):
		wrong = append(wrong, problem.Field{Detail: "the query string is not well-formed"})
	case strings.Count(raw, "&") > maxFieldErrors: // of 10,000 url.ParseQuery would drop all
		wrong = append(wrong, problem.Field{Detail: "the query string has too many parameters"})
	}
	for name, given := range values {
		detail := ""
		switch {
		case !e.Query[name]:
			detail = "there is no such parameter"
		case len(given) > 1:
			detail = "is given more than once"
		case !utf8.ValidString(given[0]):
			detail = "is not valid UTF-8"
		}
		if detail != "" {
			wrong = append(wrong, problem.Field{Parameter: problem.Clip(name, 256), Detail: detail})
		}
	}
	slices.SortFunc(wrong, func(a, b problem.Field) int { return strings.Compare(a.Parameter, b.Parameter) })
	return wrong
}

// wellFormed reports whether url.ParseQuery has no error for that query.
func wellFormed(raw string) bool {
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case ';': // once a separator, and proxies still differ on it
			return false
		case '%':
			if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
				return false
			}
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
