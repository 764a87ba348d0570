package suite

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/orgd/orgd/internal/contracttest"
)

// inputsOf are those of an operation that say which answer is wanted, by name: its query
// parameters, and the properties of its body where that is a query, too.
func inputsOf(t testing.TB, o contracttest.Operation) map[string]*openapi3.Schema {
	t.Helper()
	all := map[string]*openapi3.Schema{}
	for _, p := range o.Parameters {
		if p.In == openapi3.ParameterInQuery {
			all[p.Name] = p.Schema.Value
		}
	}
	if o.Body != nil && policyOf(t, o).Safe && o.Scheme != "" { // a login is safe, and no query
		for name, property := range o.Body.Content["application/json"].Schema.Value.Properties {
			all[name] = property.Value
		}
	}
	return all
}

// valuesOf are those of which each is to be tried; nil where there is no end of them.
func valuesOf(s *openapi3.Schema) []any {
	if s.Type.Is(openapi3.TypeBoolean) {
		return []any{false, true}
	}
	return s.Enum
}

// inputParts are a part for each operation that has inputs.
func inputParts(t testing.TB) []part {
	t.Helper()
	var all []part
	for _, o := range operations(t) {
		if inputs := inputsOf(t, o); len(inputs) > 0 {
			all = append(all, part{"inputs/" + o.ID, func(t testing.TB, s setup) { hasEffects(t, s, o, inputs) }})
		}
	}
	return all
}

// hasEffects: each input of an operation makes the difference that it should, to data on
// both sides of it.
func hasEffects(t testing.TB, s setup, o contracttest.Operation, inputs map[string]*openapi3.Schema) {
	e := effects[o.ID]
	for name := range e.of {
		if inputs[name] == nil {
			t.Errorf("effects has the input %s of %s, and the contract has not", name, o)
		}
	}
	s.grace = time.Hour // deletions last
	w := s.startFaulty(t, 0)
	if e.data != nil {
		e.data(t, w)
	}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		isShown(t, o, name, inputs[name], e.of[name].samples)
		for _, sample := range e.of[name].samples {
			if got := e.of[name].shows(w, w.ask(t, o, sample.inputs)); got != sample.want {
				t.Errorf("%s with %v shows %q, want %q", o, sample.inputs, got, sample.want)
			}
		}
	}
}

// isShown fails the test unless the samples would tell if the input did nothing: some are
// with it and some without, if it may be left out; each of its values is there; and not
// all want the same.
func isShown(t testing.TB, o contracttest.Operation, name string, schema *openapi3.Schema, samples []sample) {
	t.Helper()
	wants := map[string]bool{}
	for _, one := range samples {
		wants[one.want] = true
	}
	if len(wants) < 2 {
		t.Errorf("nothing shows what %s of %s does: give effects requests with it that have different answers", name, o)
	}
	for _, value := range valuesOf(schema) {
		if !slices.ContainsFunc(samples, func(one sample) bool { return one.inputs[name] == value }) {
			t.Errorf("nothing shows what %s=%v of %s does: give effects a request with it", name, value, o)
		}
	}
	if schema.Default != nil && !slices.ContainsFunc(samples, func(one sample) bool { return one.inputs[name] == nil }) {
		t.Errorf("nothing shows what %s does without %s: give effects a request without", o, name)
	}
}

// next stands for the cursor that the same request without one is given.
const next = "next"

// ask sends a request with inputs.
func (w *world) ask(t testing.TB, o contracttest.Operation, inputs asked) answer {
	t.Helper()
	inputs = maps.Clone(inputs)
	if inputs["cursor"] == next {
		delete(inputs, "cursor")
		inputs["cursor"] = w.ask(t, o, inputs).text("next_cursor")
	}
	r := contracttest.Request{Operation: o, Path: map[string]string{}, Query: url.Values{}, Header: http.Header{}}
	switch {
	case o.Lines != nil:
		r.SetText("application/x-ndjson", []byte(importedAda))
	case o.Body != nil:
		r.SetBody("application/json", map[string]any(inputs))
		return w.asAllowed(t, r).is(200)
	}
	for name, value := range inputs {
		text, ok := value.(string)
		if !ok {
			raw, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			text = string(raw)
		}
		r.Query.Set(name, text)
	}
	return w.asAllowed(t, r).is(200)
}

// overlooked are the faults of a service to which an input, or one value of it, says nothing.
func overlooked(t testing.TB) []fault {
	t.Helper()
	var all []fault
	for _, o := range operations(t) {
		for name, schema := range inputsOf(t, o) {
			drop := func(value any) {
				text := strings.TrimSuffix(fmt.Sprintf("%s=%v", name, value), "=<nil>")
				all = append(all, fault{fmt.Sprintf("%s of %s is overlooked", text, o), "inputs/" + o.ID, onPath(o.Path, dropping(o.Method, name, value))})
			}
			values := valuesOf(schema)
			if values == nil {
				drop(nil)
			}
			for _, value := range values {
				if value != schema.Default {
					drop(value)
				}
			}
		}
	}
	return all
}

// dropping drops an input of requests, if it has that value; nil is any.
func dropping(method, name string, value any) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		body := given(func(o map[string]any) {
			if value == nil || o[name] == value {
				delete(o, name)
			}
		})(next)
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			q := req.URL.Query()
			if req.Method == method && q.Has(name) && (value == nil || q.Get(name) == fmt.Sprint(value)) {
				q.Del(name)
				req.URL.RawQuery = q.Encode()
			}
			if req.Method == method && method == http.MethodPost && req.Header.Get("Content-Type") == "application/json" {
				body.ServeHTTP(w, req)
				return
			}
			next.ServeHTTP(w, req)
		})
	}
}
