package gates

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// TestFaultsAreFound breaks the service on purpose, in one way at a time, and wants
// a part of the contract's tests to fail each time; and none of a service without
// a fault, which is put together in the same way.
func TestFaultsAreFound(t *testing.T) {
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": "4", "rapid.shrinktime": "0s"} {
		set(name, value)
	}
	t.Cleanup(func() { set("rapid.seed", "0") })
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		if part, failures := firstFailure(t, func(next http.Handler) http.Handler { return next }); part != "" {
			t.Errorf("%s fails without a fault:\n%s", part, failures)
		}
	})
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			part, failures := firstFailure(t, f.put)
			if part == "" {
				t.Fatal("no part of the contract's tests finds this")
			}
			line, _, _ := strings.Cut(failures, "\n")
			t.Logf("found by %s: %s", part, line[:min(len(line), 200)])
		})
	}
}

// firstFailure runs the parts until one fails.
func firstFailure(t *testing.T, fault func(http.Handler) http.Handler) (name, failures string) {
	for _, p := range parts(t) {
		var failures string
		t.Run(p.name, func(t *testing.T) { // so that its servers end with it
			r := &recorder{TB: t}
			r.run(func() { p.run(r, setup{fault: fault}) })
			failures = strings.Join(r.failures, "\n")
		})
		if failures != "" {
			return p.name, failures
		}
	}
	return "", ""
}

// A recorder is a test that only notes its failures.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
}

// run runs a test to its end or to its first fatal failure.
func (r *recorder) run(test func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if v := recover(); v != nil { // a test that trips over what it does not expect
				r.note(fmt.Sprintf("panic: %v", v))
			}
		}()
		test()
	}()
	<-done
}

func (r *recorder) note(failure string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, failure)
}

func (r *recorder) Helper()                           {}
func (r *recorder) Log(...any)                        {}
func (r *recorder) Logf(string, ...any)               {}
func (r *recorder) Fail()                             { r.note("Fail") }
func (r *recorder) Error(args ...any)                 { r.note(fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.note(fmt.Sprintf(format, args...)) }
func (r *recorder) FailNow()                          { r.note("FailNow"); runtime.Goexit() }
func (r *recorder) Fatal(args ...any)                 { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(f string, args ...any)      { r.Errorf(f, args...); runtime.Goexit() }

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

// A reply is an answer on its way out.
type reply struct {
	request *http.Request
	status  int
	header  http.Header
	body    []byte
}

// out makes a fault that changes answers.
func out(change func(*reply)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, req)
			r := &reply{req, rec.Code, rec.Header(), rec.Body.Bytes()}
			change(r)
			r.header.Del("Content-Length")
			maps.Copy(w.Header(), r.header)
			w.WriteHeader(r.status)
			_, _ = w.Write(r.body) // to a client that has left: its own affair
		})
	}
}

// fields makes a fault that changes the JSON objects of answers.
func fields(change func(*reply, map[string]any)) func(http.Handler) http.Handler {
	return out(func(r *reply) {
		var object map[string]any
		if strings.HasSuffix(r.request.URL.Path, ".json") || json.Unmarshal(r.body, &object) != nil || object == nil {
			return
		}
		change(r, object)
		r.body, _ = json.Marshal(object) // it came from JSON
	})
}

// in makes a fault that changes requests.
func in(change func(*http.Request)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			change(req)
			next.ServeHTTP(w, req)
		})
	}
}

// given makes a fault that changes the JSON objects in requests.
func given(change func(map[string]any)) func(http.Handler) http.Handler {
	return in(func(req *http.Request) {
		body, _ := io.ReadAll(req.Body) // cut off: then it is not JSON either
		var object map[string]any
		if json.Unmarshal(body, &object) == nil && object != nil {
			change(object)
			body, _ = json.Marshal(object) // it came from JSON
		}
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	})
}
