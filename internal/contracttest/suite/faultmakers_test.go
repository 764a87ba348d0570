package suite

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

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

// onPath makes a fault of requests for that path only.
func onPath(path string, fault func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		broken := fault(next)
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == path {
				broken.ServeHTTP(w, req)
				return
			}
			next.ServeHTTP(w, req)
		})
	}
}

// trimmed takes the white space round a body away.
var trimmed = in(func(req *http.Request) {
	body, _ := io.ReadAll(req.Body) // cut off: shorter, then
	body = bytes.TrimSpace(body)
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
})

// without drops a header of the answers of one status.
func without(status int, header string) func(http.Handler) http.Handler {
	return out(func(r *reply) {
		if r.status == status {
			r.header.Del(header)
		}
	})
}

// anybody lets requests without a credential in, with the credential given out last.
func anybody(next http.Handler) http.Handler {
	var mu sync.Mutex
	last := ""
	lend := in(func(req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if len(req.Header["Authorization"]) == 0 && last != "" {
			req.Header.Set("Authorization", "Bearer "+last)
		}
	})
	return fields(func(_ *reply, o map[string]any) {
		mu.Lock()
		defer mu.Unlock()
		if token := text(o, "access_token"); token != "" {
			last = token
		}
	})(lend(next))
}

// remember gives an answer of that status as it was when the same request went well.
func remember(status int) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		var mu sync.Mutex
		good := map[string]reply{}
		return out(func(r *reply) {
			mu.Lock()
			defer mu.Unlock()
			key := r.request.Method + r.request.URL.String() + r.request.Header.Get("Authorization")
			switch was, known := good[key]; {
			case r.status == 200:
				good[key] = *r
			case r.status == status && known:
				r.status, r.header, r.body = was.status, was.header.Clone(), was.body
			}
		})(next)
	}
}
