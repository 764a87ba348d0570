package gates

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// A fault is a way in which the service could be broken.
type fault struct {
	name string
	put  func(http.Handler) http.Handler
}

var faults = []fault{
	// The form of answers.
	{"null instead of an empty list", fields(func(_ *reply, o map[string]any) { replace(o, "collections", nil) })},
	{"a number as a text", fields(func(_ *reply, o map[string]any) { replace(o, "generation", "1") })},
	{"generation 0", fields(func(_ *reply, o map[string]any) { replace(o, "generation", 0) })},
	{"expires_in 0", fields(func(_ *reply, o map[string]any) { replace(o, "expires_in", 0) })},
	{"a time without a zone", fields(func(_ *reply, o map[string]any) { replace(o, "created_at", "2026-11-23T12:00:00") })},
	{"a time in another zone", fields(func(_ *reply, o map[string]any) {
		if at, err := time.Parse(time.RFC3339, text(o, "created_at")); err == nil {
			o["created_at"] = at.In(time.FixedZone("", 7200)).Format(time.RFC3339Nano)
		}
	})},
	{"an id that is no UUID", fields(func(_ *reply, o map[string]any) { replace(o, "id", strings.Repeat("0", 36)) })},
	{"another spelling of a state", fields(func(_ *reply, o map[string]any) { replace(o, "state", "ACTIVE") })},
	{"a hash that gets out", fields(func(_ *reply, o map[string]any) { beside(o, "generation", "password_hash", "$2a$04$x") })},
	{"an address that gets out", fields(func(_ *reply, o map[string]any) { beside(o, "state", "email", "admin@acme.example") })},
	{"JSON as a page", out(func(r *reply) { ifHeader(r, "Content-Type", "application/json", "text/html") })},
	{"another status", out(func(r *reply) { ifStatus(r, 201, 200) })},
	{"an empty answer", out(func(r *reply) { r.body = nil })},
	{"no Location", without(201, "Location")},
	{"no Cache-Control of a token", out(func(r *reply) { r.header.Del("Cache-Control") })},
	{"no request id", out(func(r *reply) { r.header.Del("X-Request-Id") })},
	{"another media type of HEAD", out(func(r *reply) {
		if r.request.Method == http.MethodHead {
			r.header.Set("Content-Type", "text/plain")
		}
	})},
	{"another contract than the service's", out(func(r *reply) {
		r.body = []byte(strings.Replace(string(r.body), `"maxLength":254`, `"maxLength":255`, 1))
	})},

	// The form of errors.
	{"an error that is no problem", out(func(r *reply) { ifHeader(r, "Content-Type", "application/problem+json", "application/json") })},
	{"a problem without a code", fields(func(_ *reply, o map[string]any) { delete(o, "code") })},
	{"a code that nobody knows", fields(func(_ *reply, o map[string]any) { replace(o, "code", "oops") })},
	{"a code of something else", fields(func(_ *reply, o map[string]any) { swap(o, "code", "email_taken", "name_taken") })},
	{"a problem with another request's id", fields(func(_ *reply, o map[string]any) { replace(o, "request_id", "r1") })},
	{"a problem with another status", fields(func(_ *reply, o map[string]any) { replace(o, "status", 400) })},
	{"errors that point nowhere", fields(func(_ *reply, o map[string]any) { eachError(o, func(e map[string]any) { delete(e, "pointer") }) })},
	{"errors that point elsewhere", fields(func(_ *reply, o map[string]any) { eachError(o, func(e map[string]any) { replace(e, "pointer", "#/email") }) })},
	{"errors that do not name the parameter", fields(func(_ *reply, o map[string]any) { eachError(o, func(e map[string]any) { delete(e, "parameter") }) })},
	{"no WWW-Authenticate", without(401, "WWW-Authenticate")},
	{"no Retry-After of 429", without(429, "Retry-After")},
	{"no Retry-After of 503", without(503, "Retry-After")},
	{"no Allow", without(405, "Allow")},
	{"404 instead of 405", out(func(r *reply) { ifStatus(r, 405, 404) })},
	{"500 instead of 409", out(func(r *reply) { ifStatus(r, 409, 500) })},
	{"innards in a 500", fields(func(r *reply, o map[string]any) {
		if r.status == 500 {
			o["detail"] = "the storage says: " + innards
		}
	})},

	// What is done, and for whom.
	{"a state that is not so", fields(func(_ *reply, o map[string]any) { swap(o, "state", "active", "provisioning") })},
	{"a suspension that is not shown", fields(func(_ *reply, o map[string]any) { swap(o, "state", "suspended", "active") })},
	{"generation off by one", fields(func(r *reply, o map[string]any) {
		if n, ok := o["generation"].(float64); ok && r.request.Method == http.MethodPut {
			o["generation"] = n - 1
		}
	})},
	{"expires_in in minutes", fields(func(_ *reply, o map[string]any) { replace(o, "expires_in", 60) })},
	{"more than a stranger may see", fields(func(r *reply, o map[string]any) {
		if r.request.URL.Path == "/org/get" && r.request.Header.Get("Authorization") == "" {
			beside(o, "state", "generation", 1)
		}
	})},
	{"an unknown property is let in", given(func(o map[string]any) { delete(o, "no~such/prop%erty é") })},
	{"an over-long text is let in", given(func(o map[string]any) {
		if s := text(o, "password"); len(s) > 72 && s == strings.Repeat(s[:1], len(s)) || len([]rune(s)) > 72 {
			o["password"] = string([]rune(s)[:72])
		}
	})},
	{"null is let in", given(func(o map[string]any) {
		for name, value := range o {
			if value == nil {
				delete(o, name)
			}
		}
	})},
	{"an unknown parameter is let in", in(func(req *http.Request) {
		q := req.URL.Query()
		q.Del("no_such parameter&")
		req.URL.RawQuery = q.Encode()
	})},
	{"any media type is let in", in(func(req *http.Request) {
		if req.ContentLength > 0 {
			req.Header.Set("Content-Type", "application/json")
		}
	})},
	{"what follows the body is let in", given(func(map[string]any) {})},
	{"nobody has to log in", anybody},
	{"a token of before is still good", forever},
	{"a deletion that deletes nothing", phantom},
	{"login tells which addresses exist", fields(func(r *reply, o map[string]any) {
		if text(o, "code") == "bad_credentials" && r.request.Header.Get("Authorization") == "" {
			r.status, o["status"], o["code"], o["title"] = 404, 404, "not_found", "Not Found"
		}
	})},
}

func text(o map[string]any, name string) string {
	s, _ := o[name].(string)
	return s
}

// replace puts another value in the place of one that is there.
func replace(o map[string]any, name string, value any) {
	if _, ok := o[name]; ok {
		o[name] = value
	}
}

// beside adds a property to objects that have another one.
func beside(o map[string]any, there, name string, value any) {
	if _, ok := o[there]; ok {
		o[name] = value
	}
}

func swap(o map[string]any, name, from, to string) {
	if text(o, name) == from {
		o[name] = to
	}
}

func eachError(o map[string]any, change func(map[string]any)) {
	list, _ := o["errors"].([]any)
	for _, e := range list {
		if e, ok := e.(map[string]any); ok {
			change(e)
		}
	}
}

func ifStatus(r *reply, from, to int) {
	if r.status == from {
		r.status = to
	}
}

func ifHeader(r *reply, name, from, to string) {
	if r.header.Get(name) == from {
		r.header.Set(name, to)
	}
}

// without drops a header of the answers of one status.
func without(status int, header string) func(http.Handler) http.Handler {
	return out(func(r *reply) {
		if r.status == status {
			r.header.Del(header)
		}
	})
}

// anybody lets requests without a credential in under the last one that was seen.
func anybody(next http.Handler) http.Handler {
	var mu sync.Mutex
	last := ""
	return in(func(req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if given := req.Header.Get("Authorization"); given != "" {
			last = given
		} else if last != "" && req.URL.Path != "/org/get" {
			req.Header.Set("Authorization", last)
		}
	})(next)
}

// forever answers a token that was good as it was answered then.
func forever(next http.Handler) http.Handler {
	var mu sync.Mutex
	good := map[string]*reply{}
	return out(func(r *reply) {
		mu.Lock()
		defer mu.Unlock()
		key := r.request.Method + r.request.Header.Get("Authorization")
		switch was := good[key]; {
		case r.status == 200:
			good[key] = r
		case r.status == 401 && was != nil:
			r.status, r.header, r.body = was.status, was.header.Clone(), was.body
		}
	})(next)
}

// phantom answers a deletion without doing it.
func phantom(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodDelete && req.URL.Path == "/org/delete" {
			rec := httptest.NewRecorder()
			get := req.Clone(req.Context())
			get.Method, get.URL.Path, get.URL.RawQuery = http.MethodGet, "/org/get", "organization_name=Initech"
			next.ServeHTTP(rec, get)
			fields(func(r *reply, o map[string]any) {
				if r.status == 200 {
					name, id, collection := o["organization_name"], o["id"], o["collection_name"]
					clear(o)
					o["organization_name"], o["id"], o["collections"], o["deleted_at"] = name, id, []any{collection}, time.Now().UTC()
				}
			})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range rec.Header() {
					w.Header()[name] = values
				}
				w.WriteHeader(rec.Code)
				_, _ = w.Write(rec.Body.Bytes())
			})).ServeHTTP(w, get)
			return
		}
		next.ServeHTTP(w, req)
	})
}
