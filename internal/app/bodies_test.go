package app_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// body is a request body with one value replaced by raw JSON.
func body(operation, field, value string) string {
	fields := map[string]map[string]string{
		"create": {"organization_name": `"Acme"`, "email": `"a@b.example"`, "password": `"correct horse battery"`},
		"login":  {"email": `"a@b.example"`, "password": `"correct horse battery"`},
		"update": {},
	}[operation]
	parts := []string{fmt.Sprintf("%q:%s", field, value)}
	for name, text := range fields {
		if name != field {
			parts = append(parts, fmt.Sprintf("%q:%s", name, text))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// bodied are the operations that take a body: method, path, fields.
var bodied = map[string]struct {
	method, path string
	fields       []string
}{
	"create": {"POST", "/org/create", []string{"organization_name", "email", "password"}},
	"login":  {"POST", "/admin/login", []string{"email", "password"}},
	"update": {"PUT", "/org/update", []string{"organization_name", "email", "password"}},
}

func TestValuesOfAnotherTypeAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	auth := w.account("Globex").auth
	for name, op := range bodied {
		for _, field := range op.fields {
			for _, value := range []string{`{}`, `{"$ne":null}`, `{"$gt":""}`, `[]`, `["Acme"]`, `7`, `-1.5e300`, `true`, `null`, `""`} {
				w.do(op.method, op.path, body(name, field, value), auth).is(400, "malformed").blames("#/" + field)
			}
		}
		for _, whole := range []string{`[]`, `"text"`, `7`, `true`, `null`, `[{}]`} {
			w.do(op.method, op.path, whole, auth).is(400, "malformed").blames("#")
		}
	}
	for _, value := range []string{`"false"`, `0`, `null`, `{}`, `[]`} {
		w.do("PUT", "/org/update", body("update", "migrate", value), auth).is(400, "malformed").blames("#/migrate")
	}
	if got := w.do("GET", getPath("Globex"), "", auth).is(200); got.fields["generation"] != 1.0 {
		t.Errorf("a refused update has moved the data: %s", got.body)
	}
}

func TestFieldsThatAreMissingUnknownOrThereTwiceAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	auth := w.account("Globex").auth
	w.do("POST", "/org/create", `{}`).is(400, "malformed").blames("#/organization_name").blames("#/email").blames("#/password")
	w.do("POST", "/admin/login", `{}`).is(400, "malformed").blames("#/email").blames("#/password")
	for name, op := range bodied {
		for _, field := range []string{"role", "id", "org_id", "Email", "__proto__", "a/b~c", ""} {
			if a := w.do(op.method, op.path, body(name, field, `"x"`), auth).is(400, "malformed"); len(a.errors()) == 0 {
				t.Errorf("%s with %q: nothing is said of it", name, field)
			}
		}
		for _, twice := range []string{"email", "Email", "EMAIL", `\u0065mail`, "ema\u0131l", "pa\u017f\u017fword"} {
			text := strings.TrimSuffix(body(name, "email", `"a@b.example"`), "}") + `,"` + twice + `":"c@d.example"}`
			w.do(op.method, op.path, text, auth).is(400, "malformed")
		}
	}
	w.login("a@b.example", password).is(401, "bad_credentials") // none of them was made
}

func TestQueryParameters(t *testing.T) {
	t.Parallel()
	w := start(t)
	auth := w.account("Acme").auth
	w.do("GET", "/org/get", "").is(400, "malformed").blames("organization_name")
	w.do("GET", "/org/get?organization_name=", "").is(400, "malformed").blames("organization_name")
	w.do("GET", "/org/get?organization_name=Acme&organization_name=Acme", "").is(400, "malformed").blames("organization_name")
	w.do("GET", "/org/get?organization_name=Acme&verbose=1", "").is(400, "malformed").blames("verbose")
	w.do("GET", "/org/get?Organization_Name=Acme", "").is(400, "malformed").blames("Organization_Name")
	w.do("GET", "/org/get?organization_name[$ne]=x", "").is(400, "malformed").blames("organization_name[$ne]")
	w.do("GET", "/org/get?organization_name=%ff", "").is(400, "malformed").blames("organization_name")
	w.do("GET", "/org/get?organization_name=%zz", "").is(400, "malformed")
	w.do("GET", "/org/get?organization_name=a;b", "").is(400, "malformed")
	w.do("GET", "/org/get?"+strings.Repeat("a=1&", 5000), "").is(400, "malformed")
	for _, one := range []struct{ method, path, body string }{
		{"POST", "/org/create", body("create", "email", `"a@b.example"`)}, {"PUT", "/org/update", "{}"}, {"DELETE", "/org/delete", ""},
		{"POST", "/admin/login", body("login", "email", `"a@b.example"`)}, {"GET", "/livez", ""}, {"GET", "/readyz", ""},
		{"GET", "/docs", ""}, {"GET", "/openapi.yaml", ""}, {"GET", "/openapi.json", ""},
	} {
		w.do(one.method, one.path+"?organization_name=Acme", one.body, auth).is(400, "malformed").blames("organization_name")
	}
	w.do("GET", getPath("Acme"), "", auth).is(200).hasExactly(organizationKeys) // it was not deleted
}

func TestBodiesThatAreNotJSONAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	auth := w.account("Globex").auth
	for name, op := range bodied {
		good := body(name, "email", `"a@b.example"`)
		for _, text := range []string{
			" ", "{", good[:len(good)-1], good + "x", good + good, "\ufeff" + good, "'" + good + "'", "email=a%40b.example",
			strings.Replace(good, "example", "ex\xffample", 1), strings.Replace(good, "example", `\ud800`, 1), strings.Replace(good, "example", "ex\x00ample", 1),
			strings.Replace(good, "{", "{,", 1), "// c\n" + good, strings.Replace(good, "}", ",}", 1), "NaN", "\x1f\x8b\x08",
		} {
			w.do(op.method, op.path, text, auth).is(400, "malformed")
		}
		w.do(op.method, op.path, "", auth, "Content-Type: application/json").is(400, "malformed").blames("#")
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	w := start(t)
	auth := w.account("Globex").auth
	for name, op := range bodied {
		good := body(name, "email", `"a@b.example"`)
		for _, headers := range [][]string{
			{"Content-Type: "}, {"Content-Type: text/plain"}, {"Content-Type: application/x-www-form-urlencoded"}, {"Content-Type: text/json"},
			{"Content-Type: multipart/form-data; boundary=x"}, {"Content-Type: application/json; charset=utf-16"}, {"Content-Type: application/json,text/plain"},
			{"Content-Type: application/problem+json"}, {"Content-Type: application/xml"}, {"Content-Type: */*"}, {"Content-Type: application/json;"},
			{"Content-Type: application/json", "Content-Type: text/plain"}, {"Content-Type: application/json", "Content-Encoding: gzip"},
		} {
			if headers[0] == "Content-Type: application/json;" {
				continue // an empty parameter list is no parameter (RFC 9110, 5.6.6)
			}
			w.do(op.method, op.path, good, append(headers, auth)...).is(415, "unsupported_media_type")
		}
	}
	for i, contentType := range []string{"application/json", "Application/JSON", "application/json; charset=UTF-8", `application/json;charset="utf-8"`} {
		w.do("POST", "/org/create", object("organization_name", fmt.Sprint("Acme ", i), "email", newEmail(), "password", password),
			"Content-Type: "+contentType, "Accept: application/xml").is(201)
	}
}

// unsized hides the length of a body, which is then sent in chunks.
type unsized struct{ io.Reader }

func TestLargeAndDeepBodiesAreRefusedQuickly(t *testing.T) {
	t.Parallel()
	w := start(t)
	auth := w.account("Globex").auth
	began := time.Now()
	for _, op := range bodied {
		for _, size := range []int{64<<10 + 1, 8 << 20} {
			large := `{"email":"` + strings.Repeat("x", size-len(`{"email":""}`)) + `"}`
			// Expect: without it a client may still be sending when the connection is closed to it.
			sized := w.request(op.method, op.path, strings.NewReader(large), auth, "Expect: 100-continue")
			w.send(sized).is(413, "body_too_large")
			w.send(w.request(op.method, op.path, unsized{strings.NewReader(large)}, auth)).is(413, "body_too_large")
		}
		deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
		w.do(op.method, op.path, deep, auth, "Expect: 100-continue").is(413, "body_too_large")
		for _, text := range []string{strings.Repeat("[", 32_000) + strings.Repeat("]", 32_000), strings.Repeat("[", 65_000),
			strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), `{"email":` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000) + `}`} {
			w.do(op.method, op.path, text, auth).is(400, "malformed")
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("refusing them took %s", took)
	}
	// As large as is allowed.
	small := object("organization_name", "Acme", "email", newEmail(), "password", password)
	w.do("POST", "/org/create", small+strings.Repeat(" ", 64<<10-len(small))).is(201)
}

// A client that sends a body to DELETE believes that the body says what is deleted.
func TestBodiesWhereNoneBelongsAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	auth := w.account("Acme").auth
	for _, one := range []struct{ method, path string }{
		{"DELETE", "/org/delete"}, {"GET", getPath("Acme")}, {"GET", "/livez"}, {"GET", "/readyz"},
	} {
		w.do(one.method, one.path, `{"organization_name":"Globex"}`, auth).is(400, "malformed").blames("#")
		w.send(w.request(one.method, one.path, unsized{strings.NewReader(`{}`)}, auth)).is(400, "malformed").blames("#")
		if one.method == http.MethodGet {
			w.send(w.request(one.method, one.path, unsized{strings.NewReader("")}, auth)).is(200) // chunked, and nothing in it
		}
	}
}
