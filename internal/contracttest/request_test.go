package contracttest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/contracttest"
)

// contract has an operation with everything that requests can have, and a stream.
const contract = `
openapi: 3.0.3
info: {title: a test's, version: 0.0.1}
security: [{bearerAuth: []}]
paths:
  /things/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string, minLength: 2, maxLength: 8, pattern: '^[a-z0-9]*$'}, example: abc}
    put:
      operationId: putThing
      parameters:
        - {name: limit, in: query, required: true, schema: {type: integer, minimum: 1, maximum: 1000}, example: 7}
        - {name: deep, in: query, schema: {type: boolean}, example: true}
        - {name: sort, in: query, schema: {type: string, enum: [up, down]}, example: up}
        - {name: If-Match, in: header, required: true, schema: {type: string, minLength: 1, maxLength: 20}, example: '"1"'}
      requestBody:
        required: true
        content:
          application/merge-patch+json:
            schema: {type: object, additionalProperties: false, properties: {a: {type: string, maxLength: 9}}}
            examples: {one: {value: {a: b}}}
      responses: {'204': {description: Done.}}
    get:
      operationId: getLines
      security: []
      responses:
        '200':
          description: Lines.
          content:
            application/x-ndjson:
              schema: {type: string}
              x-line-schema: {$ref: '#/components/schemas/Line'}
              example: "{\"n\":1}\n"
        '201':
          description: Lines of nobody knows what.
          content: {application/x-ndjson: {schema: {type: string}, example: '{}'}}
components:
  securitySchemes: {bearerAuth: {type: http, scheme: bearer}, key: {type: apiKey, in: header, name: X-Key}}
  schemas:
    Line: {type: object, required: [n], properties: {n: {type: integer}}}
    Problem: {type: object}
`

func made(t *testing.T) (*contracttest.Contract, contracttest.Operation) {
	t.Helper()
	c, err := contracttest.Parse(contract)
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.Operations()
	if err != nil || len(all) != 2 || all[1].ID != "putThing" || all[1].Scheme != "bearerAuth" || all[1].Anonymous || !all[0].Anonymous {
		t.Fatalf("operations %v, %v", all, err)
	}
	return c, all[1]
}

func router(t *testing.T) routers.Router {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(contract))
	if err != nil {
		t.Fatal(err)
	}
	r, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// refused is what openapi3filter, as a server, has against a request.
func refused(t *rapid.T, routes routers.Router, r contracttest.Request) error {
	req, err := r.HTTP(t.Context(), "http://127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	route, path, err := routes.FindRoute(req)
	if err != nil {
		t.Fatalf("%s: %v", req.URL, err)
	}
	return openapi3filter.ValidateRequest(t.Context(), &openapi3filter.RequestValidationInput{
		Request: req, Route: route, PathParams: path,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	})
}

func TestDrawnRequestsFitAndRefusedOnesDoNot(t *testing.T) {
	_, o := made(t)
	routes := router(t)
	rapid.Check(t, func(t *rapid.T) {
		r := o.Draw(t)
		if err := refused(t, routes, r); err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		for _, how := range o.Refusals(t) {
			one := r
			one.Header = r.Header.Clone()
			if one.Refuse(t, how) && refused(t, routes, one) == nil {
				t.Fatalf("%s is taken: %s", how, one.Body)
			}
		}
		for _, how := range o.ParameterRefusals() {
			one := o.Draw(t)
			// A second and an unknown parameter openapi3filter lets pass.
			if applied := how.Apply(t, &one); applied && how.Name != "comes twice" && how.Name != "is not known" && refused(t, routes, one) == nil {
				t.Fatalf("%s is taken: %v %v %v", how, one.Path, one.Query, one.Header)
			}
		}
	})
}

func TestExamplesOfRequestsFit(t *testing.T) {
	c, o := made(t)
	if err := c.CheckExamples(); err != nil {
		t.Error(err)
	}
	routes := router(t)
	rapid.Check(t, func(t *rapid.T) {
		for name, r := range o.Examples(t) {
			if err := refused(t, routes, r); name != "one" || err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	})
}

// streaming is the contract above with a stream of lines as the body of putThing.
func streaming(t *testing.T) string {
	t.Helper()
	return strings.ReplaceAll(strings.ReplaceAll(changed(t,
		"schema: {type: object, additionalProperties: false, properties: {a: {type: string, maxLength: 9}}}",
		"schema: {type: string}\n            x-line-schema: {$ref: '#/components/schemas/Line'}"),
		"application/merge-patch+json", "application/x-ndjson"),
		"one: {value: {a: b}}", `one: {value: "{\"n\":1}\n{\"n\":2}\n"}`)
}

func TestStreamsAreDrawnLineByLine(t *testing.T) {
	c, err := contracttest.Parse(streaming(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckExamples(); err != nil {
		t.Error(err)
	}
	all, err := c.Operations()
	if err != nil {
		t.Fatal(err)
	}
	o := all[1]
	rapid.Check(t, func(t *rapid.T) {
		if r := o.Examples(t)["one"]; string(r.Body) != "{\"n\":1}\n{\"n\":2}\n" {
			t.Fatalf("the example is sent as %q", r.Body)
		}
		if len(o.Refusals(t)) > 0 {
			t.Fatal("a stream as a whole is refused")
		}
		for line := range strings.Lines(string(o.Draw(t).Body)) {
			var one struct{ N *int }
			if err := json.Unmarshal([]byte(line), &one); err != nil || one.N == nil || !strings.HasSuffix(line, "\n") {
				t.Fatalf("drawn %q: %v", line, err)
			}
		}
	})
	bad, err := contracttest.Parse(strings.Replace(streaming(t), `{\"n\":2}`, `{\"n\":\"2\"}`, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := bad.CheckExamples(); err == nil || !strings.Contains(err.Error(), "line 2: ") {
		t.Errorf("a bad line of an example: %v", err)
	}
}

// changed is the contract above with something else in one place.
func changed(t *testing.T, from, to string) string {
	t.Helper()
	text := strings.Replace(contract, from, to, 1)
	if text == contract {
		t.Fatalf("there is no %s in the contract", from)
	}
	return text
}

func TestBadExamplesAreFound(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{`example: 7}`, `example: 0}`, "number must be at least 1"},
		{`, example: true}`, `}`, "PUT /things/{id} parameter deep has no example"},
		{`value: {a: b}`, `value: {c: b}`, `property "c" is unsupported`},
		{"\n            examples: {one: {value: {a: b}}}", "", "PUT /things/{id} body application/merge-patch+json  has no example"},
		{`{n: {type: integer}}`, `{n: {type: integer, example: x}}`, "value must be an integer"},
		{`{n: {type: integer}}`, `{n: {type: string, format: uuid, example: x}}`, "the example of schema Line.n: "},
		{`{description: Done.}`, `{description: Done., content: {application/json: {schema: {$ref: '#/components/schemas/Line'}, example: {n: 1, email: x}}}}`,
			`property "email" is unsupported`},
	} {
		parsed, err := contracttest.Parse(changed(t, c.from, c.to)) // which finds some
		if err == nil {
			err = parsed.CheckExamples()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.to, err, c.want)
		}
	}
}

// A new kind of operation has to be taught, and the tests say where.
func TestWhatCannotBeAskedIsSaid(t *testing.T) {
	two, err := contracttest.Parse(changed(t, "security: [{bearerAuth: []}]", "security: [{bearerAuth: []}, {key: []}]"))
	if err == nil {
		_, err = two.Operations()
	}
	if err == nil || !strings.Contains(err.Error(), "several security schemes") {
		t.Errorf("two security schemes: %v", err)
	}
	csv, err := contracttest.Parse(strings.ReplaceAll(contract, "application/merge-patch+json", "text/csv"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.Operations()
	if err != nil {
		t.Fatal(err)
	}
	if got := said(t, func(f *failing) { all[1].Refusals(f) }); !strings.Contains(got, "putThing has none: teach request.go") {
		t.Errorf("a body of CSV: %q", got)
	}
}

func TestLinesAreHeldAgainstTheirSchema(t *testing.T) {
	c, _ := made(t)
	for _, l := range []struct {
		status     int
		body, want string
	}{
		{200, "", ""},
		{200, `{"n":1}` + "\n", ""},
		{200, `{"n":1}` + "\n" + `{"n":2}` + "\n", ""},
		{200, `{"n":1}` + "\n" + `{"n":"2"}` + "\n", "line 2: "},
		{200, `{"n":1}` + "\n" + `{"n":1,"email":"x"}` + "\n", "line 2: "},
		{200, `{"n":1}` + "\n\n", "line 2: "},
		{200, `{"n":1}` + "\n" + `{"n":2`, "the last of the lines has no end"},
		{201, `{"n":1}` + "\n", "x-line-schema"},
	} {
		req := httptest.NewRequest(http.MethodGet, "/things/abc", nil)
		resp := &http.Response{StatusCode: l.status, Header: http.Header{"X-Request-Id": {"r1"}, "Content-Type": {"application/x-ndjson"}}}
		got := ""
		for _, err := range c.Check(req, resp, []byte(l.body)) {
			got += err.Error() + "\n"
		}
		if l.want == "" && got != "" || !strings.Contains(got, l.want) {
			t.Errorf("%d %q: %q, want %q", l.status, l.body, got, l.want)
		}
	}
}
