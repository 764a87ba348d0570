package httpapi

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/httpapi/limit"
	"github.com/orgd/orgd/internal/httpapi/network"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/wire"
	"github.com/orgd/orgd/internal/policy"
)

// guard lets a request through to the operation's handler only when it fits the
// contract. The order matters: what is cheap comes first, nothing of a body is
// read for a client that may not send one, and all that is wrong with an
// otherwise acceptable request is told at once.
//
//  1. attempts of this client address (429; a login may still be one that is known there)
//  2. declared length of the body (413)
//  3. credential (401, 423): authenticate, the one choke point; what the storage says of
//     it comes with the answer, or before any other refusal, where the operation is joint
//  4. requests of this organization (429)
//  5. media type (415)
//  6. reading the body, no further than its limit (413)
//  7. query parameters, strict JSON, schemas (400)
//  8. idempotency key (409, 422; or the answer of last time)
func (a *API) guard(op *operation) echo.MiddlewareFunc {
	limit := a.limitOf(op.Limiter)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(ec echo.Context) error {
			c := callOf(ec)
			c.op, c.address = op, ec.RealIP()
			if op.Streams.Request() {
				wire.OpenStream(ec.Response())
			}
			if limit != nil {
				c.limited = limit.Take(network.Address(c.address))
			}
			if c.limited != nil && op.Limiter != policy.LimitLogins {
				return a.holdback.Hold(ec.Request().Context(), c.limited, c.forgetBody)
			}
			if err := a.check(op, ec); err != nil {
				return cmp.Or(a.holdback.Hold(ec.Request().Context(), c.limited, c.forgetBody), err)
			}
			return a.once(ec, next)
		}
	}
}

// check does what guard does between the attempts and the key.
func (a *API) check(op *operation, ec echo.Context) error {
	if err := a.checkLength(op, ec.Request()); err != nil {
		return err
	}
	if err := a.authenticate(op, ec); err != nil {
		return err
	}
	if err := a.takeRequest(op, ec); err != nil {
		return err
	}
	if err := a.checkRequest(op, ec); err != nil {
		return cmp.Or(a.admit(ec), err) // who may not ask, is not told what was wrong
	}
	return nil
}

// checkRequest holds query and body against the contract.
func (a *API) checkRequest(op *operation, ec echo.Context) error {
	body, err := a.readBody(op, ec)
	if err != nil {
		return err
	}
	callOf(ec).body = body
	values, wrong := checkQuery(op, ec)
	options := &validation
	if op.Streams.Request() {
		options = &allButBody
	}
	if op.document {
		callOf(ec).document, options = body, &allButBody
		if len(body) == 0 {
			wrong = append(wrong, problem.Field{Pointer: "#", Detail: "is required"})
		}
	} else if len(body) > 0 {
		if err := callOf(ec).memory.Take(jsonRoom * len(body)); err != nil {
			return err
		}
		if e := checkJSON(body, requestJSON.withExtended(op.extended)); e != nil {
			// What is not JSON cannot be held against a schema.
			return &problem.Refusal{Kind: problem.Malformed, Fields: append(wrong, *e)}
		}
		setApart(op, ec, body)
	}
	err = openapi3filter.ValidateRequest(ec.Request().Context(), &openapi3filter.RequestValidationInput{
		Request:     ec.Request(),
		Route:       op.route,
		PathParams:  pathParams(ec),
		QueryParams: values,
		Options:     options,
	})
	if wrong = append(wrong, violations(err)...); len(wrong) > 0 {
		return &problem.Refusal{Kind: problem.Malformed, Fields: wrong[:min(len(wrong), maxFieldErrors)]}
	}
	return nil
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

// allButBody is validation for operations whose body is a document.
var allButBody = openapi3filter.Options{MultiError: true, SkipSettingDefaults: true, ExcludeRequestBody: true}

// checkQuery returns the query parameters and what is wrong with them as such:
// those that the operation does not have or that come twice, and bytes that
// are no text.
func checkQuery(op *operation, ec echo.Context) (url.Values, []problem.Field) {
	raw := ec.Request().URL.RawQuery
	if raw == "" {
		return url.Values{}, nil
	}
	values := ec.QueryParams() // parsed once for all who ask; drops what is not well-formed
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
		case !op.query[name]:
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
	return values, wrong
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

// pathParams are echo's, by name. Where the path has escapes that its plain form
// could not do without, echo leaves all of them in place.
func pathParams(ec echo.Context) map[string]string {
	names := ec.ParamNames()
	if len(names) == 0 {
		return nil
	}
	params := make(map[string]string, len(names))
	for _, name := range names {
		params[name] = ec.Param(name)
		if plain, err := url.PathUnescape(params[name]); err == nil && ec.Request().URL.RawPath != "" {
			params[name] = plain
		}
	}
	return params
}

// checkLength refuses by its declared length a body that is too large, without
// reading any of it, and any body where none belongs: whoever sends one to
// DELETE /org/delete believes that it says what is deleted.
func (a *API) checkLength(op *operation, r *http.Request) error {
	switch {
	case op.body == nil && r.ContentLength > 0:
		return errBodyNotAllowed
	case op.body != nil && r.ContentLength > op.limit(a.BodyLimit):
		return tooLarge(op.limit(a.BodyLimit))
	}
	return nil
}

var errBodyNotAllowed = &problem.Refusal{Kind: problem.Malformed, Fields: []problem.Field{{Pointer: "#", Detail: "this operation takes no body"}}}

func tooLarge(limit int64) error {
	return &problem.Refusal{Kind: problem.BodyTooLarge, Detail: fmt.Sprintf("The body is larger than %d bytes.", limit)}
}

// limitOf returns what limits the attempts of each client address; most operations have
// nothing.
func (a *API) limitOf(l policy.Limiter) *limit.Rate {
	switch l {
	case policy.LimitSignups:
		return a.signups.ByAddress
	case policy.LimitLogins:
		return a.logins.ByAddress
	case policy.LimitLookups:
		return a.lookups
	}
	return nil
}

// takeRequest counts a request for an organization's data.
func (a *API) takeRequest(op *operation, ec echo.Context) error {
	p := callOf(ec).principal
	if a.requests == nil || op.Limiter != policy.LimitData || p == nil {
		return nil
	}
	return a.requests.Take(p.OrgID)
}
