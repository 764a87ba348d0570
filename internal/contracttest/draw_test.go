package contracttest_test

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/contracttest"
)

// schemas have what the contract has and what it may come to have.
var schemas = map[string]string{
	"a name":             `{"type":"string","minLength":1,"maxLength":30,"pattern":"^[ \\u00A0]*[^\\u0000-\\u001F \\u00A0](?:[^\\u0000-\\u001F]{0,8}[^\\u0000-\\u001F \\u00A0])?[ \\u00A0]*$"}`,
	"an address":         `{"type":"string","minLength":3,"maxLength":254,"pattern":"^[a-z.+-]{1,64}@[a-z](?:[a-z-]{0,61}[a-z])?(?:\\.[a-z](?:[a-z-]{0,61}[a-z])?)*$"}`,
	"anything but NUL":   `{"type":"string","minLength":8,"maxLength":72,"pattern":"^[^\\u0000]*$"}`,
	"a beginning":        `{"type":"string","minLength":9,"maxLength":40,"pattern":"^#(a|b)+"}`,
	"a uuid":             `{"type":"string","format":"uuid"}`,
	"a uuid by pattern":  `{"type":"string","format":"uuid","pattern":"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"}`,
	"a time":             `{"type":"string","format":"date-time","nullable":true}`,
	"a day":              `{"type":"string","format":"date"}`,
	"a URI":              `{"type":"string","format":"uri","maxLength":200}`,
	"a state":            `{"type":"string","enum":["active","suspended"]}`,
	"a whole number":     `{"type":"integer","minimum":1,"maximum":1000}`,
	"a multiple":         `{"type":"integer","multipleOf":5,"minimum":-7,"maximum":12}`,
	"a number":           `{"type":"number","minimum":-1.5,"maximum":2.5}`,
	"a flag":             `{"type":"boolean"}`,
	"a list":             `{"type":"array","minItems":1,"maxItems":3,"items":{"type":"string","minLength":1,"maxLength":4}}`,
	"anything":           `{"nullable":true}`,
	"an open object":     `{"type":"object","additionalProperties":true,"required":["a"],"properties":{"a":{"type":"integer"}}}`,
	"a map":              `{"type":"object","additionalProperties":{"type":"integer","minimum":0}}`,
	"objects in objects": `{"type":"object","additionalProperties":false,"required":["in"],"properties":{"in":{"type":"object","additionalProperties":false,"required":["list"],"properties":{"list":{"type":"array","items":{"type":"object","required":["n"],"properties":{"n":{"type":"integer","nullable":true}}}}}},"id":{"type":"string","readOnly":true}}}`,
	"all of":             `{"allOf":[{"type":"object","required":["a"],"properties":{"a":{"type":"string","maxLength":5}}},{"type":"object","required":["b"],"properties":{"b":{"type":"boolean"}}}]}`,
	"one of":             `{"oneOf":[{"type":"string","maxLength":5},{"type":"object","required":["b"],"properties":{"b":{"type":"boolean"}}}]}`,
	"any of":             `{"anyOf":[{"type":"integer"},{"type":"boolean"}]}`,
}

func schema(t *testing.T, text string) *openapi3.Schema {
	t.Helper()
	var s openapi3.Schema
	if err := s.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return &s
}

// TestValuesFitAndRefusalsDoNot also finds that everything can be drawn at all.
func TestValuesFitAndRefusalsDoNot(t *testing.T) {
	for name, text := range schemas {
		t.Run(name, func(t *testing.T) {
			s := schema(t, text)
			rapid.Check(t, func(t *rapid.T) {
				v := contracttest.Value(s).Draw(t, "value")
				if err := s.VisitJSON(v); err != nil {
					t.Fatalf("%v does not fit: %v", v, err)
				}
				for _, how := range contracttest.Refusals(s) {
					if v == nil && len(how.Path) > 0 {
						continue
					}
					if bad, ok := how.Apply(t, s, notNil(v, s, t)); !ok && !strings.Contains(name, " of") {
						t.Fatalf("%s does nothing: %v", how, bad)
					}
				}
			})
		})
	}
}

func notNil(v any, s *openapi3.Schema, t *rapid.T) any {
	if v != nil {
		return v
	}
	strict := *s
	strict.Nullable = false
	return contracttest.Value(&strict).Draw(t, "value")
}

// The names of the ways are the list of what is tested of a schema.
func TestEverythingASchemaDemandsIsRefused(t *testing.T) {
	for name, want := range map[string]string{
		"anything but NUL": "a boolean, an integer, an array, an object, null, too short, too long, of another pattern",
		"a time":           "a boolean, an integer, an array, an object, of another format",
		"a state":          "a boolean, an integer, an array, an object, null, not in the enum",
		"a whole number":   "text, a boolean, an array, an object, null, a fraction, too small, too large",
		"a list": "text, a boolean, an integer, an object, null, too few, too many, 0 a boolean, 0 an integer, 0 an array, 0 an object, 0 null, " +
			"0 too short, 0 too long",
		"an open object": "text, a boolean, an integer, an array, null, a is missing, a text, a a boolean, a an array, a an object, a null, a a fraction",
		"anything":       "",
	} {
		var got []string
		for _, how := range contracttest.Refusals(schema(t, schemas[name])) {
			got = append(got, strings.TrimSpace(how.String()))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %s\nwant %s", name, strings.Join(got, ", "), want)
		}
	}
}

// A failing is a rapid.TB that notes and ends what fails.
type failing struct {
	*testing.T
	said string
}

func (f *failing) Helper()                        {}
func (f *failing) Failed() bool                   { return f.said != "" }
func (f *failing) Log(...any)                     {}
func (f *failing) Logf(string, ...any)            {}
func (f *failing) Errorf(format string, a ...any) { f.said += fmt.Sprintf(format, a...) }
func (f *failing) Fatal(a ...any)                 { f.said += fmt.Sprint(a...); runtime.Goexit() }
func (f *failing) FailNow()                       { runtime.Goexit() }

// said returns what a test that fails says.
func said(t *testing.T, test func(*failing)) string {
	f := &failing{T: t}
	done := make(chan struct{})
	go func() { defer close(done); test(f) }()
	<-done
	return f.said
}

func TestWhatCannotBeDrawnIsSaid(t *testing.T) {
	for name, value := range map[string]string{"rapid.nofailfile": "true", "rapid.shrinktime": "0s"} {
		f := flag.Lookup(name)
		before := f.Value.String()
		t.Cleanup(func() { _ = f.Value.Set(before) }) // a value that it had
		if err := f.Value.Set(value); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		`{"type":"string","format":"colour"}`:                      `cannot draw the format "colour": teach drawtext.go`,
		`{"type":"string","pattern":"^\\bx$"}`:                     "in a pattern: teach drawtext.go",
		`{"type":"string","minLength":9,"pattern":"^[a-z]{1,3}$"}`: "teach draw.go what the schema needs",
		`{"type":"object","required":["a"],"minProperties":5}`:     "teach draw.go what the schema needs",
		`{"type":"integer","not":{"type":"integer"}}`:              "teach draw.go what the schema needs",
	} {
		s := schema(t, text)
		got := said(t, func(f *failing) {
			rapid.Check(f, func(t *rapid.T) { contracttest.Value(s).Draw(t, "value") })
		})
		if !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
