package suite

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/contracttest"
)

// A property holds of every request of its kind. It is checked for each operation
// of the contract that it applies to, on a server of that operation's own.
type property struct {
	name    string
	applies func(contracttest.Operation) bool
	check   func(*rapid.T, *world, contracttest.Operation)
}

var properties = []property{
	{"valid", always, valid},
	{"anonymous", func(o contracttest.Operation) bool { return o.Scheme != "" }, anonymous},
	{"junk", always, junk},
	{"media type", hasBody, mediaType},
	{"refused body", hasBody, refusedBody},
	{"refused parameter", always, refusedParameter},
}

func always(contracttest.Operation) bool    { return true }
func hasBody(o contracttest.Operation) bool { return o.Body != nil }

// operations lists those of the contract.
func operations(t testing.TB) []contracttest.Operation {
	t.Helper()
	contract, err := contracttest.Load()
	if err != nil {
		t.Fatal(err)
	}
	all, err := contract.Operations()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// propertyParts are the properties, each for each operation.
func propertyParts(t testing.TB) []part {
	t.Helper()
	var all []part
	for _, p := range properties {
		for _, o := range operations(t) {
			if !p.applies(o) {
				continue
			}
			all = append(all, part{p.name + "/" + o.ID, func(t testing.TB, s setup) {
				w := s.start(t, 0)
				exampleAccount(t, w)
				rapid.Check(t, func(t *rapid.T) { p.check(t, w, o) })
			}})
		}
	}
	return all
}

// valid: what fits the contract is not malformed. A rule that a schema cannot say
// may refuse it, but says so by 422.
func valid(t *rapid.T, w *world, o contracttest.Operation) {
	r := o.Draw(t)
	if o.Scheme == "" || o.Anonymous && rapid.Bool().Draw(t, "without a credential") {
		w.request(t, r).not(r, 400, 405, 413, 415)
		return
	}
	w.authorized(t, r).not(r, 400, 401, 403, 405, 413, 415)
}

// not fails the test if the answer has one of those statuses.
func (a answer) not(r contracttest.Request, statuses ...int) {
	a.t.Helper()
	if slices.Contains(statuses, a.status) {
		a.t.Fatalf("%s refuses what its schemas take: %v %v %s\n%d: %s", r.Operation, r.Query, r.Header, r.Body, a.status, a.body)
	}
}

// anonymous: no credential or a bad one is 401, whatever else the request says.
func anonymous(t *rapid.T, w *world, o contracttest.Operation) {
	r := o.Draw(t)
	if w.auth == "" {
		w.auth = w.credential(t, o)
	}
	bad := []string{
		"Bearer", "Bearer x", "Bearer a.b.c", "Basic YTpi", "bearer " + strings.Repeat("x", 5000), "Bearer " + altered(w.auth), strings.TrimPrefix(w.auth, "Bearer "),
	}
	if !o.Anonymous {
		bad = append(bad, "")
	}
	for _, header := range bad {
		if r.Header.Del("Authorization"); header != "" {
			r.Header.Set("Authorization", header)
		}
		if a := w.request(t, r); a.status != 401 {
			t.Fatalf("%s takes %q for a credential: %d %s", o, header, a.status, a.body)
		}
	}
}

// altered is a token with another signature.
func altered(auth string) string {
	token := strings.TrimPrefix(auth, "Bearer ")
	if cut := strings.LastIndexByte(token, '.') + 1; cut > 0 {
		return token[:cut] + strings.Repeat("A", len(token)-cut)
	}
	return "e30.e30.AAAA"
}

// spoilt are ways to make of JSON something that is none, or that two readers would
// read differently.
var spoilt = map[string]func(*rapid.T, string) string{
	"cut off":               func(t *rapid.T, s string) string { return s[:rapid.IntRange(0, len(s)-1).Draw(t, "at")] + "{" },
	"twice":                 func(_ *rapid.T, s string) string { return s + s },
	"more after it":         func(_ *rapid.T, s string) string { return s + " x" },
	"a byte order mark":     func(_ *rapid.T, s string) string { return "\ufeff" + s },
	"no UTF-8":              func(_ *rapid.T, s string) string { return `{"x":"` + "\xff\"," + s[1:] },
	"half a surrogate pair": func(_ *rapid.T, s string) string { return `{"x":"\ud800",` + s[1:] },
	"a name twice":          func(_ *rapid.T, s string) string { return `{"x":1,"X":2,"x":3,` + s[1:] },
	"a comment":             func(_ *rapid.T, s string) string { return "/**/" + s },
	"nested without end":    func(_ *rapid.T, _ string) string { return strings.Repeat(`{"x":`, 2000) },
	"an empty body":         func(_ *rapid.T, _ string) string { return "" },
	"white space":           func(_ *rapid.T, _ string) string { return " \n" },
	"bytes": func(t *rapid.T, _ string) string {
		return "\x00" + string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	},
}

// junk: a body that is no JSON is 400, and so is any body of an operation that
// takes none.
func junk(t *rapid.T, w *world, o contracttest.Operation) {
	r := o.Draw(t)
	if o.Lines != nil {
		return // what is wrong with a line is told in the answer; see streams
	}
	if o.Body == nil {
		r.Body = rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "body")
		w.asAllowed(t, r).is(400, "malformed")
		return
	}
	if r.Body == nil {
		return // an optional body that was not drawn
	}
	for _, name := range slices.Sorted(maps.Keys(spoilt)) {
		one := r
		if one.Body = []byte(spoilt[name](t, string(r.Body))); len(one.Body) == 0 && !o.Body.Required {
			continue
		}
		if a := w.asAllowed(t, one); a.status != 400 || a.text("code") != "malformed" {
			t.Fatalf("%s takes %q (%s): %d %s", o, one.Body, name, a.status, a.body)
		}
	}
}

// mediaType: a body of another media type is 415.
func mediaType(t *rapid.T, w *world, o contracttest.Operation) {
	r := o.Draw(t)
	if len(r.Body) == 0 { // none was drawn, or a stream without a line: the answer must not hang on that
		r.Body = []byte("{}")
	}
	for _, other := range otherMediaTypes {
		if o.Body.Content[other] != nil {
			continue // it takes this one too
		}
		if r.Header.Set("Content-Type", other); other == "" {
			r.Header.Del("Content-Type")
		}
		if a := w.asAllowed(t, r); a.status != 415 || a.text("code") != "unsupported_media_type" {
			t.Fatalf("%s takes a body of %q: %d %s", o, other, a.status, a.body)
		}
	}
}

var otherMediaTypes = []string{
	"", "text/plain", "text/json", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/octet-stream",
	"application/json; charset=latin1", "application/jsonx", "application/*", "*/*", "application", "application/json, text/plain", "application/vnd.api+json",
}

// refusedBody: a body that breaks one rule of its schema is 400, and the answer
// points at the place.
func refusedBody(t *rapid.T, w *world, o contracttest.Operation) {
	r := o.Draw(t)
	if r.Body == nil {
		return
	}
	for _, how := range o.Refusals(t) {
		one := r
		one.Header = r.Header.Clone()
		if !one.Refuse(t, how) {
			continue
		}
		a := w.asAllowed(t, one)
		if a.status != 400 || a.text("code") != "malformed" || !a.pointsAt(how.Path) {
			t.Fatalf("%s, %s: %s\nwant 400 malformed and an error at %q, got %d: %s", o, how, one.Body, how.Path, a.status, a.body)
		}
	}
}

// pointsAt reports whether an error of the problem is at that place of the body.
func (a answer) pointsAt(path []string) bool {
	return slices.ContainsFunc(a.errors(), func(e map[string]any) bool {
		pointer, _ := e["pointer"].(string)
		fragment, isFragment := strings.CutPrefix(pointer, "#")
		plain, err := url.PathUnescape(fragment)
		if err != nil || !isFragment {
			return false
		}
		var parts []string
		for _, name := range strings.Split(plain, "/")[1:] {
			parts = append(parts, strings.NewReplacer("~1", "/", "~0", "~").Replace(name))
		}
		return slices.Equal(parts, path)
	})
}

func (a answer) errors() []map[string]any {
	var all []map[string]any
	list, _ := a.fields["errors"].([]any)
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}

// refusedParameter: a parameter that breaks one rule of the contract is 400, and
// the answer names it. Every operation refuses a parameter that it does not have.
func refusedParameter(t *rapid.T, w *world, o contracttest.Operation) {
	r := o.Draw(t)
	for _, how := range o.ParameterRefusals() {
		one := r
		one.Header, one.Query, one.Path = r.Header.Clone(), url.Values(http.Header(r.Query).Clone()), maps.Clone(r.Path)
		if !how.Apply(t, &one) {
			continue
		}
		a := w.asAllowed(t, one)
		named := slices.ContainsFunc(a.errors(), func(e map[string]any) bool { return e["parameter"] == how.Parameter })
		if a.status != 400 || a.text("code") != "malformed" || !named {
			t.Fatalf("%s, %s: %v %v %v\nwant 400 malformed and an error of the parameter, got %d: %s", o, how, one.Path, one.Query, one.Header, a.status, a.body)
		}
	}
}
