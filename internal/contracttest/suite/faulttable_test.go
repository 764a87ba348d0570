package suite

import (
	"bytes"
	"maps"
	"net/http"
	"strings"
	"time"
)

// A fault is a way in which the service could be broken.
type fault struct {
	name string
	by   string // the part that finds it, with those under it
	put  func(http.Handler) http.Handler
}

var faults = []fault{
	// The form of answers.
	{"null instead of a list", "life", fields(func(_ *reply, o map[string]any) { replace(o, "collections", nil) })},
	{"a number as a text", "life", fields(func(_ *reply, o map[string]any) { replace(o, "generation", "1") })},
	{"generation 0", "life", fields(func(_ *reply, o map[string]any) { replace(o, "generation", 0) })},
	{"expires_in 0", "life", fields(func(_ *reply, o map[string]any) { replace(o, "expires_in", 0) })},
	{"a time without a zone", "life", fields(func(_ *reply, o map[string]any) { replace(o, "created_at", "2026-11-23T12:00:00") })},
	{"a time in another zone", "life", fields(func(_ *reply, o map[string]any) {
		if at, err := time.Parse(time.RFC3339, text(o, "created_at")); err == nil {
			o["created_at"] = at.In(time.FixedZone("", 7200)).Format(time.RFC3339Nano)
		}
	})},
	{"an id that is no UUID", "life", fields(func(_ *reply, o map[string]any) { replace(o, "id", strings.Repeat("0", 36)) })},
	{"another spelling of a state", "life", fields(func(_ *reply, o map[string]any) { replace(o, "state", "ACTIVE") })},
	{"a hash that gets out", "life", fields(func(_ *reply, o map[string]any) { beside(o, "generation", "password_hash", "$2a$04$x") })},
	{"an address that gets out", "life", fields(func(_ *reply, o map[string]any) { beside(o, "state", "email", "admin@acme.example") })},
	{"another status", "life", out(func(r *reply) { ifStatus(r, 201, 200) })},
	{"no Location", "life", without(201, "Location")},
	{"no Cache-Control of a token", "life", out(func(r *reply) { r.header.Del("Cache-Control") })},
	{"a document that may be kept", "documents", out(func(r *reply) {
		if r.request.Method == http.MethodGet {
			ifHeader(r, "Cache-Control", "no-store", "private, max-age=60")
		}
	})},
	{"an error that may be kept", "methods", out(func(r *reply) {
		if r.status == 404 {
			r.header.Set("Cache-Control", "max-age=60")
		}
	})},
	{"a page that is kept for good", "reads", out(func(r *reply) { ifHeader(r, "Cache-Control", "no-cache", "max-age=31536000, immutable") })},
	{"a page that may load anything", "reads", out(func(r *reply) {
		if r.request.URL.Path == "/docs" {
			r.header.Set("Content-Security-Policy", "default-src *")
		}
	})},
	{"HEAD without what GET has", "reads", out(func(r *reply) {
		if r.request.Method == http.MethodHead {
			r.header.Del("X-Frame-Options")
		}
	})},
	{"a media type that may be guessed", "life", out(func(r *reply) { r.header.Del("X-Content-Type-Options") })},
	{"a header that nobody declared", "life", out(func(r *reply) { r.header.Set("X-Powered-By", "orgd") })},
	{"a header that comes twice", "life", out(func(r *reply) { r.header.Add("Cache-Control", "no-store") })},
	{"another way to authenticate", "life", out(func(r *reply) { ifHeader(r, "Www-Authenticate", `Bearer realm="orgd"`, `Bearer realm="x"`) })},
	{"a new document that is elsewhere", "idempotency", out(func(r *reply) {
		if r.request.URL.Path == "/org/documents" && r.header.Get("Location") != "" {
			r.header.Set("Location", "/org/documents/elsewhere")
		}
	})},
	{"a request's own id that is overlooked", "reads", in(func(req *http.Request) { req.Header.Del("X-Request-Id") })},
	{"no request id", "reads", out(func(r *reply) { r.header.Del("X-Request-Id") })},
	{"JSON as a page", "reads", out(func(r *reply) { ifHeader(r, "Content-Type", "application/json", "text/html") })},
	{"an empty answer", "reads", out(func(r *reply) { r.body = nil })},
	{"another media type of HEAD", "reads", out(func(r *reply) {
		if r.request.Method == http.MethodHead {
			r.header.Set("Content-Type", "text/plain")
		}
	})},
	{"another contract than the service's", "reads", func(next http.Handler) http.Handler {
		plain := in(func(req *http.Request) { req.Header.Del("Accept-Encoding") })
		return out(func(r *reply) {
			if r.request.URL.Path == "/openapi.json" {
				r.body = bytes.Replace(r.body, []byte("254"), []byte("255"), 1)
			}
		})(plain(next))
	}},
	{"less than the example shows", "examples", fields(func(r *reply, o map[string]any) {
		if r.request.URL.Path == "/org/get" {
			delete(o, "updated_at")
		}
	})},

	// The form of errors.
	{"an error that is no problem", "methods", out(func(r *reply) { ifHeader(r, "Content-Type", "application/problem+json", "application/json") })},
	{"a problem without a code", "methods", fields(func(_ *reply, o map[string]any) { delete(o, "code") })},
	{"a code that nobody knows", "methods", fields(func(_ *reply, o map[string]any) { replace(o, "code", "oops") })},
	{"a problem with another request's id", "methods", fields(func(_ *reply, o map[string]any) { replace(o, "request_id", "r1") })},
	{"a problem with another status", "methods", fields(func(_ *reply, o map[string]any) { replace(o, "status", 400) })},
	{"no Allow", "methods", without(405, "Allow")},
	{"404 instead of 405", "methods", out(func(r *reply) { ifStatus(r, 405, 404) })},
	{"500 instead of 409", "busy", out(func(r *reply) { ifStatus(r, 409, 500) })},
	{"a code of something else", "life", fields(func(_ *reply, o map[string]any) { swap(o, "code", "email_taken", "name_taken") })},
	{"no WWW-Authenticate", "life", without(401, "WWW-Authenticate")},
	{"no Retry-After of 429", "limits", without(429, "Retry-After")},
	{"no Retry-After of 503", "storage down", without(503, "Retry-After")},
	{"innards in a 500", "unknown faults", fields(func(r *reply, o map[string]any) {
		if r.status == 500 {
			o["detail"] = "the storage says: " + innards
		}
	})},
	{"errors that point nowhere", "refused body/login", fields(func(_ *reply, o map[string]any) {
		eachError(o, func(e map[string]any) { delete(e, "pointer") })
	})},
	{"errors that point elsewhere", "refused body/login", fields(func(_ *reply, o map[string]any) {
		eachError(o, func(e map[string]any) { replace(e, "pointer", "#/email") })
	})},
	{"errors that do not name the parameter", "refused parameter/getOrganization", fields(func(_ *reply, o map[string]any) {
		eachError(o, func(e map[string]any) { delete(e, "parameter") })
	})},

	// What is done, and for whom.
	{"a state that is not so", "life", fields(func(_ *reply, o map[string]any) { swap(o, "state", "active", "provisioning") })},
	{"a suspension that is not shown", "suspended", fields(func(_ *reply, o map[string]any) { swap(o, "state", "suspended", "active") })},
	{"generation off by one", "life", fields(func(r *reply, o map[string]any) {
		if n, ok := o["generation"].(float64); ok && r.request.Method == http.MethodPut {
			o["generation"] = n - 1
		}
	})},
	{"expires_in in minutes", "life", fields(func(_ *reply, o map[string]any) { replace(o, "expires_in", 60) })},
	{"a creation that is a moment later", "times", later("created_at", time.Millisecond)},
	{"an estimate of when the token ends", "times", later("expires_at", 30*time.Second)},
	{"an operation that has always just begun", "times", fields(func(_ *reply, o map[string]any) {
		if o["started_at"] != nil {
			o["started_at"] = o["updated_at"]
		}
	})},
	{"an organization that never changes", "times", fields(func(_ *reply, o map[string]any) {
		if o["created_at"] != nil {
			replace(o, "updated_at", o["created_at"])
		}
	})},
	{"less grace than is said", "times", later("purge_after", 30*time.Second)},
	{"a token that is good for longer", "ends", remember(401)},
	{"expires_in of somewhat more", "ends", fields(func(_ *reply, o map[string]any) { replace(o, "expires_in", 3660) })},
	{"a limit that says to come too soon", "come again", retryAfter(func(n int) int { return n / 2 })},
	{"a limit that says to come too late", "come again", retryAfter(func(n int) int { return n + 1 })},
	{"more than a stranger may see", "life", fields(func(r *reply, o map[string]any) {
		if r.request.URL.Path == "/org/get" && r.request.Header.Get("Authorization") == "" {
			beside(o, "state", "generation", 1)
		}
	})},
	{"login tells which addresses exist", "life", fields(func(r *reply, o map[string]any) {
		if text(o, "code") == "bad_credentials" {
			r.status, o["status"], o["code"], o["title"] = 404, 404, "not_found", "Not Found"
		}
	})},
	{"nothing was done, it says, where something may be", "half-way", fields(func(_ *reply, o map[string]any) {
		swap(o, "code", "outcome_unknown", "unavailable")
	})},
	{"a token of before is still good", "life", remember(401)},
	{"what is deleted can still be seen", "life", remember(404)},
	{"a name that fits is refused", "valid/createOrganization", given(func(o map[string]any) {
		if strings.ContainsFunc(text(o, "organization_name"), func(c rune) bool { return c > '~' }) {
			o["organization_name"] = ""
		}
	})},
	{"an unknown property is let in", "refused body/createOrganization", given(func(o map[string]any) { delete(o, "no~such/prop%erty é") })},
	{"an over-long text is let in", "refused body/updateOrganization", given(func(o map[string]any) {
		if s := []rune(text(o, "password")); len(s) > 72 {
			o["password"] = string(s[:72])
		}
	})},
	{"null is let in", "refused body/updateOrganization", given(func(o map[string]any) {
		maps.DeleteFunc(o, func(_ string, v any) bool { return v == nil })
	})},
	{"an unknown parameter is let in", "refused parameter/getLiveness", in(func(req *http.Request) { req.URL.RawQuery = "" })},
	{"any media type is let in", "media type/login", in(func(req *http.Request) { req.Header.Set("Content-Type", "application/json") })},
	{"what is around the body is let in", "junk/login", given(func(map[string]any) {})},
	{"a body where none belongs is let in", "junk/deleteOrganization", in(func(req *http.Request) {
		if req.Method == http.MethodDelete {
			req.Body, req.ContentLength = http.NoBody, 0
		}
	})},
	{"a body of any size is let in", "large bodies", trimmed},
	{"a suspension that is taken back", "operator", fields(func(_ *reply, o map[string]any) { swap(o, "state", "suspended", "active") })},
	{"an operator plane without a key", "no operator", out(func(r *reply) {
		if strings.HasPrefix(r.request.URL.Path, "/operator/") {
			ifStatus(r, 404, 401)
		}
	})},
	{"a deletion that does not tell of its time of grace", "grace", fields(func(_ *reply, o map[string]any) { delete(o, "purge_after") })},
	{"an operation that is over before it is", "async", fields(func(_ *reply, o map[string]any) { swap(o, "state", "running", "succeeded") })},
	{"no Preference-Applied", "async", without(202, "Preference-Applied")},
	{"no ETag", "documents", without(200, "ETag")},
	{"digits that get lost", "documents", out(func(r *reply) {
		r.body = bytes.ReplaceAll(r.body, []byte("9007199254740993"), []byte("9007199254740992"))
	})},
	{"a filter in a body that is overlooked", "documents", onPath("/org/documents/query", given(func(o map[string]any) { delete(o, "filter") }))},
	{"a cursor in a body that is overlooked", "documents", onPath("/org/documents/query", given(func(o map[string]any) { delete(o, "cursor") }))},
	{"a query that takes no cursor of a list", "documents", onPath("/org/documents/query", given(func(o map[string]any) { replace(o, "cursor", "AAAA") }))},
	{"a query that is given up for another reason", "slow queries", onPath("/org/documents/query", fields(func(_ *reply, o map[string]any) {
		swap(o, "code", "query_timeout", "unavailable")
	}))},
	{"errors of a body that name parameters", "refused body/queryDocuments", fields(func(_ *reply, o map[string]any) {
		eachError(o, func(e map[string]any) {
			if pointer := text(e, "pointer"); pointer != "" {
				delete(e, "pointer")
				e["parameter"] = strings.TrimPrefix(pointer, "#/")
			}
		})
	})},
	{"a filter that is no object is let in", "refused body/queryDocuments", given(func(o map[string]any) {
		if _, ok := o["filter"].(map[string]any); !ok {
			delete(o, "filter")
		}
	})},
	{"a long filter in a URL is let in", "refused parameter/listDocuments", in(func(req *http.Request) {
		if q := req.URL.Query(); len([]rune(q.Get("filter"))) > 1024 {
			q.Del("filter")
			req.URL.RawQuery = q.Encode()
		}
	})},
	{"a query of any size is let in", "large bodies", onPath("/org/documents/query", trimmed)},
	{"an export that overlooks its filter", "streams", onPath("/org/export", given(func(o map[string]any) { delete(o, "filter") }))},
	{"a suspended organization may query", "states", onPath("/org/documents/query", out(func(r *reply) {
		if r.status == 423 {
			r.status, r.body = 200, []byte(`{"items":[]}`)
		}
	}))},
	{"a condition that is overlooked", "documents", in(func(req *http.Request) { req.Header.Del("If-Match") })},
	{"another reason for a slow query", "slow queries", fields(func(_ *reply, o map[string]any) { swap(o, "code", "query_timeout", "unavailable") })},
	{"a suspended organization is let in", "states", out(func(r *reply) {
		if r.status == 423 && r.request.Method == http.MethodGet {
			r.status, r.body = 200, []byte("{}")
		}
	})},
	{"a document that is left out", "streams", export(func(lines []string) []string { return lines[1:] })},
	{"a document that comes twice", "streams", export(func(lines []string) []string { return append([]string{lines[0]}, lines...) })},
	{"an export that does not say that it is whole", "streams", export(func(lines []string) []string { return lines[:len(lines)-1] })},
	{"a hidden name that gets out", "streams", export(func(lines []string) []string {
		lines[0] = strings.Replace(lines[0], "{", `{"_rev":1,`, 1)
		return lines
	})},
	{"a line off by one", "streams", out(func(r *reply) { r.body = bytes.ReplaceAll(r.body, []byte(`"line":2`), []byte(`"line":1`)) })},
	{"lines that are counted without the blank ones", "streams", importing(func(body string) string { return blankLine.ReplaceAllString(body, "") })},
	{"\\r\\n that is two lines", "streams", importing(func(body string) string { return strings.ReplaceAll(body, "\r\n", "\n\n") })},
	{"a last line without an end that is lost", "streams", importing(func(body string) string { return body[:strings.LastIndex(body, "\n")+1] })},
	{"what comes after a refused line is lost", "streams", importing(func(body string) string {
		before, _, _ := strings.Cut(body, `{"_id":`+"\n")
		return before
	})},
	{"white space that is no blank line", "streams", importing(func(body string) string { return strings.ReplaceAll(body, " \t ", "{") })},
	{"a refused line that counts as done", "streams", out(func(r *reply) {
		r.body = bytes.ReplaceAll(r.body, []byte(`"failed":1`), []byte(`"failed":0`))
	})},
	{"a line of nobody knows what type", "streams", out(func(r *reply) {
		r.body = bytes.ReplaceAll(r.body, []byte(`"type":"result"`), []byte(`"type":"end"`))
	})},
	{"an answer of before that does not say so", "idempotency", without(201, "Idempotency-Replayed")},
	{"a key that is overlooked", "idempotency", in(func(req *http.Request) { req.Header.Del("Idempotency-Key") })},
	{"keys without end", "too many keys", out(func(r *reply) { ifStatus(r, 429, 201) })},
	{"what is remembered is refused", "too many keys", out(func(r *reply) {
		if r.header.Get("Idempotency-Replayed") != "" {
			ifStatus(r, 201, 429)
		}
	})},
	{"no time to come again", "working", without(409, "Retry-After")},
	{"a quota that nobody sees", "quotas", fields(func(_ *reply, o map[string]any) { delete(o, "quota") })},
	{"a quota that is no longer there", "quotas", out(func(r *reply) { ifStatus(r, 507, 200) })},
	{"a server that is never full", "full", out(func(r *reply) { ifStatus(r, 507, 201) })},
	{"organizations without a limit", "tenant limits", out(func(r *reply) { ifStatus(r, 429, 200) })},
	{"nobody has to log in", "anonymous/deleteOrganization", anybody},
	{"a credential of another kind is overlooked", "anonymous/getOrganization", in(func(req *http.Request) {
		if !strings.HasPrefix(req.Header.Get("Authorization"), "Bearer ") {
			req.Header.Del("Authorization")
		}
	})},
}
