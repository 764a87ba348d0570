package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd"
	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/policy"
	"github.com/orgd/orgd/internal/webui"
)

func TestMethodsAndRoutes(t *testing.T) {
	s := start(t, withPages)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/livez", 200, ""},
		{"HEAD", "/livez", 200, ""},
		{"OPTIONS", "/livez", 204, "OPTIONS, GET, HEAD"},
		{"POST", "/livez", 405, "OPTIONS, GET, HEAD"},
		{"PUT", "/org/create", 405, "OPTIONS, POST"},
		{"GET", "/org/create", 405, "OPTIONS, POST"},
		{"HEAD", "/org/create", 405, "OPTIONS, POST"},
		{"OPTIONS", "/org/create", 204, "OPTIONS, POST"},
		{"GET", "/org/update", 405, "OPTIONS, PUT"},
		{"PATCH", "/org/update", 405, "OPTIONS, PUT"},
		{"POST", "/org/delete", 405, "OPTIONS, DELETE"},
		{"TRACE", "/org/get", 405, "OPTIONS, GET, HEAD"},
		{"get", "/org/get", 405, "OPTIONS, GET, HEAD"},
		{"BREW", "/org/get", 405, "OPTIONS, GET, HEAD"},
		{"GET", "/", 404, ""},
		{"GET", "/org", 404, ""},
		{"GET", "/org/", 404, ""},
		{"GET", "/livez/", 404, ""},
		{"GET", "//livez", 404, ""},
		{"GET", "/LIVEZ", 404, ""},
		{"GET", "/org/../livez", 404, ""},
		{"GET", "/%6civez", 404, ""},
		{"GET", "/org%2Fget", 404, ""},
		{"PUT", "/org/operations/" + nobodysID, 405, "OPTIONS, GET, HEAD"},
		{"GET", "/org/operations/", 404, ""},
		{"GET", "/org/operations/" + nobodysID + "/", 404, ""},
		{"GET", "/org/operations/" + nobodysID + "/x", 404, ""},
		{"PUT", "/org/operations/" + nobodysID + "/x", 404, ""},
		{"GET", "/livez%00", 404, ""},
		{"DELETE", "/nowhere", 404, ""},
		{"OPTIONS", "/nowhere", 404, ""},
		{"GET", "/page", 200, ""},
		{"HEAD", "/page", 200, ""},
		{"POST", "/page", 405, "OPTIONS, GET, HEAD"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			s.t = t
			got := s.do(c.method, c.path, "")
			if got.status != c.status || got.header.Get("Allow") != c.allow {
				t.Errorf("%d with Allow %q, want %d with %q", got.status, got.header.Get("Allow"), c.status, c.allow)
			}
			if got.header.Get("X-Request-Id") == "" {
				t.Error("no X-Request-Id")
			}
			if c.method == http.MethodHead && got.body != "" {
				t.Errorf("HEAD has a body: %q", got.body)
			}
			if want := map[int]string{404: "not_found", 405: "method_not_allowed"}[c.status]; c.method != http.MethodHead && got.code() != want {
				t.Errorf("code is %q, want %q", got.code(), want)
			}
		})
	}
}

func TestHeadAnswersAsGet(t *testing.T) {
	s := start(t)
	get := s.do("GET", "/org/get?organization_name=Acme", "")
	head := s.do("HEAD", "/org/get?organization_name=Acme", "")
	for _, name := range []string{"Content-Type", "Content-Length", "Cache-Control"} {
		if get.header.Get(name) != head.header.Get(name) || get.header.Get(name) == "" {
			t.Errorf("%s: GET %q, HEAD %q", name, get.header.Get(name), head.header.Get(name))
		}
	}
	if got := s.do("HEAD", "/org/get", ""); got.status != 400 {
		t.Errorf("HEAD without the parameter: %d, want 400", got.status)
	}
}

// TestEveryEndpointIsRouted keeps the contract and the router together, and
// shows that what needs a token cannot be reached without.
func TestEveryEndpointIsRouted(t *testing.T) {
	s := start(t, func(c *Config) {
		var err error
		if c.Pages, err = webui.Pages(orgd.OpenAPI); err != nil {
			t.Fatal(err)
		}
	}, withOperator)
	protected := 0
	for _, e := range s.contract {
		path := strings.ReplaceAll(e.Path, "{id}", nobodysID)
		got := s.do(e.Method, path, "")
		asked := s.store.asked()
		if got.status == 404 || got.status == 405 {
			t.Errorf("%s %s is not routed: %d", e.Method, path, got.status)
		}
		good := s.bearer()
		if e.Plane == policy.Operator {
			good = "Authorization: Bearer " + operatorKey
		}
		if unknown := s.do(e.Method, path+"?unknown=1", "", good); unknown.status != 400 {
			t.Errorf("%s %s with an unknown parameter: %d", e.Method, path, unknown.status)
		}
		s.store.asked()
		if e.Plane == policy.Public {
			continue
		}
		protected++
		if got.code() != "unauthenticated" || asked != "" {
			t.Errorf("%s %s without a token: %d %s", e.Method, path, got.status, got.body)
		}
	}
	if protected < 2 || s.checked < 20 {
		t.Errorf("found %d protected endpoints, held %d answers against the contract", protected, s.checked)
	}
}

// TestMalformed has what breaks the contract, and all that is said of it.
func TestMalformed(t *testing.T) {
	s := start(t)
	const (
		name  = "does not fit: 1 to 100 characters, not counting white space at the ends; no control characters, line breaks or characters that turn the direction of text."
		email = "does not fit: An e-mail address. Upper and lower case are the same."
		get   = "GET /org/get"
		post  = "POST /org/create"
		in    = "POST /admin/login"
		put   = "PUT /org/update"
		del   = "DELETE /org/delete"
	)
	with := func(field, value string) string { // a create with one field changed
		fields := map[string]string{"organization_name": `"Acme"`, "email": `"a@b.example"`, "password": `"12345678"`}
		fields[field] = value
		names := []string{"email", "organization_name", "password"}
		if field != "email" && field != "organization_name" && field != "password" {
			names = append(names, field)
		}
		var parts []string
		for _, n := range names {
			parts = append(parts, fmt.Sprintf("%q:%s", n, fields[n]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	for _, c := range []struct {
		what, operation, query, body string
		want                         []string
	}{
		{"no parameter", get, "", "", []string{"organization_name: is required"}},
		{"empty parameter", get, "?organization_name=", "", []string{"organization_name: must not be empty", "organization_name: " + name}},
		{"parameter without a value", get, "?organization_name", "", []string{"organization_name: must not be empty", "organization_name: " + name}},
		{"long parameter", get, "?organization_name=" + strings.Repeat("a", 301), "", []string{"organization_name: must have at most 300 characters", "organization_name: " + name}},
		{"101 characters", get, "?organization_name=" + strings.Repeat("a", 101), "", []string{"organization_name: " + name}},
		{"NUL", get, "?organization_name=a%00b", "", []string{"organization_name: " + name}},
		{"direction", get, "?organization_name=a%E2%80%AEb", "", []string{"organization_name: " + name}},
		{"isolate", get, "?organization_name=a%E2%81%A6b", "", []string{"organization_name: " + name}},
		{"line break", get, "?organization_name=a%0D%0Ab", "", []string{"organization_name: " + name}},
		{"blank", get, "?organization_name=+%C2%A0", "", []string{"organization_name: " + name}},
		{"no UTF-8", get, "?organization_name=%FFabc", "", []string{"organization_name: is not valid UTF-8"}},
		{"unknown parameter", get, "?organization_name=a&x=1&b=2", "", []string{"b: there is no such parameter", "x: there is no such parameter"}},
		{"parameter in another case", get, "?Organization_Name=a", "", []string{"Organization_Name: there is no such parameter", "organization_name: is required"}},
		{"repeated parameter", get, "?organization_name=a&organization_name=a", "", []string{"organization_name: is given more than once"}},
		{"semicolon", get, "?organization_name=a;b", "", []string{": the query string is not well-formed", "organization_name: is required"}},
		{"bad escape", get, "?organization_name=a%2", "", []string{": the query string is not well-formed", "organization_name: is required"}},
		{"nameless parameter", get, "?=1&organization_name=a", "", []string{": there is no such parameter"}},
		{"parameter on a POST, and a body", post, "?x=1", `{}`, []string{"x: there is no such parameter",
			`#/organization_name: property "organization_name" is missing`, `#/email: property "email" is missing`, `#/password: property "password" is missing`}},
		{"body on a GET", get, "?organization_name=a", "{}", []string{"#: this operation takes no body"}},
		{"body on a DELETE", del, "", `{"organization_name":"Other"}`, []string{"#: this operation takes no body"}},
		{"no body", post, "", "", []string{"#: is required"}},
		{"not JSON", post, "", "organization_name=x", []string{"#: is not valid JSON at byte 0: no value begins so"}},
		{"cut off", post, "", `{"email":"a@b.example"`, []string{"#: is not valid JSON at byte 22: neither a comma nor the end of the object"}},
		{"data after it", in, "", login + "{}", []string{"#: is not valid JSON at byte 65: data after the value"}},
		{"byte order mark", in, "", "\ufeff" + login, []string{"#: is not valid JSON at byte 0: no value begins so"}},
		{"no UTF-8 in a body", in, "", "{\"email\":\"\xff\"}", []string{"#: is not valid UTF-8"}},
		{"half a pair", in, "", `{"email":"\ud83d","password":"x"}`, []string{"#: is not valid JSON at byte 16: half of a surrogate pair"}},
		{"twice", in, "", `{"email":"a","password":"x","email":"b"}`, []string{"#/email: is given more than once"}},
		{"twice in another case", in, "", `{"email":"a","password":"x","Email":"b"}`, []string{"#/Email: is given more than once"}},
		{"twice by an escape", in, "", `{"email":"a","password":"x","\u0065mail":"b"}`, []string{"#/email: is given more than once"}},
		{"twice by the Kelvin sign", in, "", `{"k":1,"\u212a":2}`, []string{"#/%E2%84%AA: is given more than once"}},
		{"only in another case", in, "", `{"EMAIL":"a","password":"x"}`, []string{"#/EMAIL: there is no such property", `#/email: property "email" is missing`}},
		{"deep", in, "", `{"email":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}", []string{"#: is nested deeper than 100 levels"}},
		{"null", post, "", "null", []string{"#: must not be null"}},
		{"an array", post, "", "[]", []string{"#: must be of type object"}},
		{"a string", post, "", `"secret"`, []string{"#: must be of type object"}},
		{"an object where a string belongs", in, "", `{"email":{"$gt":""},"password":{"$ne":null}}`, []string{"#/email: must be of type string", "#/password: must be of type string"}},
		{"a number where a string belongs", in, "", `{"email":1e999999,"password":123}`, []string{"#/email: must be of type string", "#/password: must be of type string"}},
		{"null where a string belongs", in, "", `{"email":null,"password":"x"}`, []string{"#/email: must not be null"}},
		{"a string where a boolean belongs", put, "", `{"migrate":"false"}`, []string{"#/migrate: must be of type boolean"}},
		{"null where a boolean belongs", put, "", `{"migrate":null}`, []string{"#/migrate: must not be null"}},
		{"unknown property", post, "", with("role", `"owner"`), []string{"#/role: there is no such property"}},
		{"unknown property of an odd name", post, "", with("a/b~c d#\u00e9", "1"), []string{"#/a~1b~0c%20d%23%C3%A9: there is no such property"}},
		{"short password", post, "", with("password", `"1234567"`), []string{"#/password: must have at least 8 characters"}},
		{"long password", post, "", with("password", `"`+strings.Repeat("p", 73)+`"`), []string{"#/password: must have at most 72 characters"}},
		{"NUL in a password", post, "", with("password", `"1234\u00005678"`), []string{"#/password: does not fit: At least 8 characters and at most 72 bytes in UTF-8 (the most that bcrypt takes); no NUL character."}},
		{"no address", post, "", with("email", `"admin"`), []string{"#/email: " + email}},
		{"NUL in a name", post, "", with("organization_name", `"a\u0000b"`), []string{"#/organization_name: " + name}},
		{"direction in a name", post, "", with("organization_name", `"a\u202eb"`), []string{"#/organization_name: " + name}},
		{"all at once", post, "", `{"organization_name":"","email":"x","pasword":"y"}`, []string{
			"#/email: must have at least 3 characters", "#/email: " + email, "#/organization_name: must not be empty", "#/organization_name: " + name,
			"#/pasword: there is no such property", `#/password: property "password" is missing`}},
	} {
		t.Run(c.what, func(t *testing.T) {
			s.t = t
			method, path, _ := strings.Cut(c.operation, " ")
			got := s.do(method, path+c.query, c.body, s.bearer())
			if got.status != 400 || got.code() != "malformed" {
				t.Errorf("%d %s", got.status, got.body)
			}
			if diff := cmp.Diff(c.want, got.errors()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWellFormedIsTaken(t *testing.T) {
	s := start(t)
	for i, name := range []string{"a,b", "🐝 ÄÖ א", strings.Repeat("🐝", 100), "a"} {
		s.store.create(name, fmt.Sprintf("a%d@x.example", i))
	}
	for _, c := range []struct{ what, method, path, body string }{
		{"comma in a parameter", "GET", "/org/get?organization_name=a,b", ""},
		{"letters of all kinds", "GET", "/org/get?organization_name=%F0%9F%90%9D+%C3%84%C3%96+%D7%90", ""},
		{"100 characters", "GET", "/org/get?organization_name=" + strings.Repeat("%F0%9F%90%9D", 100), ""},
		{"white space around", "GET", "/org/get?organization_name=++a++", ""},
		{"white space in JSON", "POST", "/admin/login", "\r\n\t " + login + "\n"},
		{"a whole pair", "POST", "/org/create", `{"organization_name":"\ud83d\udc1d","email":"a@b.example","password":"\ud83d\udc1d234567890"}`},
		{"nothing to change", "PUT", "/org/update", "{}"},
		{"empty query", "DELETE", "/org/delete?", ""},
	} {
		if got := s.do(c.method, c.path, c.body, s.bearer()); got.status >= 300 {
			t.Errorf("%s: %d %s", c.what, got.status, got.body)
		}
	}
}

func TestManyErrorsAreBounded(t *testing.T) {
	s := start(t)
	var body, query strings.Builder
	body.WriteString(`{"` + strings.Repeat("n", 2000) + `":1`)
	for i := range 3000 {
		fmt.Fprintf(&body, `,"p%d":1`, i)
	}
	body.WriteString("}")
	for i := range 3000 {
		fmt.Fprintf(&query, "&p%d", i)
	}
	if got := s.do("POST", "/admin/login", body.String()); got.status != 400 || len(got.errors()) != 100 {
		t.Errorf("%d with %d errors", got.status, len(got.errors()))
	}
	if got := s.do("GET", "/org/get?"+query.String(), ""); got.status != 400 || len(got.errors()) != 100 {
		t.Errorf("%d with %d errors", got.status, len(got.errors()))
	}
	// One name too long for a pointer leads to the object around it.
	got := s.do("POST", "/admin/login", `{"`+strings.Repeat("n", 2000)+`":1}`)
	want := []string{"#: there is no such property", `#/email: property "email" is missing`, `#/password: property "password" is missing`}
	if diff := cmp.Diff(want, got.errors()); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownSecuritySchemesAreNotTakenForPublic(t *testing.T) {
	for _, change := range []string{"otherKey: []", "bearerAuth: [admin]", "operatorKey: [admin]", "bearerAuth: []\n    operatorKey: []", "operatorKey: []\n  - bearerAuth: []"} {
		yaml := strings.Replace(orgd.OpenAPI, "\nsecurity:\n  - bearerAuth: []", "\nsecurity:\n  - "+change, 1)
		yaml = strings.Replace(yaml, "  securitySchemes:\n", "  securitySchemes:\n    otherKey: {type: apiKey, in: header, name: X-Key}\n", 1)
		if _, err := contract.Parse(yaml); err == nil || !strings.Contains(err.Error(), "cannot enforce") {
			t.Errorf("%s: %v", change, err)
		}
	}
}

func TestAPolicyThatIsNotKnownIsNotIgnored(t *testing.T) {
	for _, change := range [][2]string{{"limiter: login,", "limiter: logins,"}, {"plane: operator,", "plane: owner,"}, {"probe: true", "probes: true"},
		{"streams: both", "streams: none"}, {"      x-policy:", "      x-rules:"}} {
		if _, err := contract.Parse(strings.Replace(orgd.OpenAPI, change[0], change[1], 1)); err == nil || !strings.Contains(err.Error(), "x-policy") {
			t.Errorf("%s: %v", change, err)
		}
	}
}

// withPages gives the API a page that is no endpoint of the contract.
func withPages(c *Config) {
	c.Pages = map[string]http.Handler{"/page": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		fmt.Fprint(w, "a page")
	})}
}
