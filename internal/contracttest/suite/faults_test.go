package suite

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestFaultsAreFound breaks the service on purpose, in one way at a time, and wants
// the part of the contract's tests that is there for it to fail; and not to fail
// on a service without a fault that is put together in the same way. Every part
// has to find something: one that cannot fail is no test.
func TestFaultsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: make test-long")
	}
	// Always the same requests: whether a fault is found is not to be a matter of luck.
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": "6", "rapid.shrinktime": "0s"} {
		before := flag.Lookup(name).Value.String()
		set(name, value)
		t.Cleanup(func() { set(name, before) })
	}
	all, useful, faults := parts(t), map[string]bool{}, slices.Concat(faults, overlooked(t))
	for _, f := range faults {
		at := slices.IndexFunc(all, func(p part) bool { return p.name == f.by })
		if at < 0 {
			t.Errorf("%s is to be found by %q, and there is no such part", f.name, f.by)
			continue
		}
		if !useful[f.by] {
			t.Run("no fault for "+f.by, func(t *testing.T) {
				t.Parallel()
				if failures := failuresOf(t, all[at], func(next http.Handler) http.Handler { return next }); len(failures) > 0 {
					t.Errorf("fails without a fault: %q", failures)
				}
			})
		}
		useful[f.by] = true
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			failures := failuresOf(t, all[at], f.put)
			if len(failures) == 0 {
				t.Fatalf("%s does not find this", f.by)
			}
			t.Logf("found by %s: %s", f.by, failures[0][:min(len(failures[0]), 300)])
		})
	}
	for _, p := range all {
		kind, _, _ := strings.Cut(p.name, "/")
		if !slices.ContainsFunc(faults, func(f fault) bool { return f.by == p.name || strings.HasPrefix(f.by, kind+"/") }) {
			t.Errorf("no fault shows that %q finds anything", kind)
		}
	}
}

// failuresOf runs a part against a broken service.
func failuresOf(t *testing.T, p part, broken func(http.Handler) http.Handler) []string {
	r := &recorder{TB: t}
	r.run(func() { p.run(r, setup{fault: broken}) })
	return r.failures
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
		if json.NewDecoder(bytes.NewReader(body)).Decode(&object) == nil && object != nil {
			change(object)
			body, _ = json.Marshal(object) // it came from JSON
		}
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	})
}
