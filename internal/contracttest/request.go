package contracttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"
)

// A Request is a request of an operation, which a test may change before it is sent.
type Request struct {
	Operation Operation
	Path      map[string]string
	Query     url.Values
	Header    http.Header
	Value     any    // what Body holds
	Body      []byte // nil: none
}

// Draw draws a request that fits the contract, but for the credential, which the test
// adds.
func (o Operation) Draw(t *rapid.T) Request {
	r := Request{Operation: o, Path: map[string]string{}, Query: url.Values{}, Header: http.Header{}}
	for _, p := range o.Parameters {
		if p.Required || rapid.Bool().Draw(t, "with "+p.Name) {
			r.set(p, drawParameter(t, p))
		}
	}
	if o.Body != nil && (o.Body.Required || rapid.Bool().Draw(t, "with a body")) {
		r.drawBody(t)
	}
	return r
}

func (r *Request) drawBody(t *rapid.T) {
	o := r.Operation
	if o.Lines == nil {
		r.SetBody(o.mediaType(t), Value(o.bodySchema(t)).Draw(t, "body"))
		return
	}
	text := []byte{}
	for _, line := range rapid.SliceOfN(Value(o.Lines), 0, 4).Draw(t, "lines") {
		r.SetBody(linesType, line)
		text = append(append(text, r.Body...), '\n')
	}
	r.SetText(linesType, text)
}

// SetText makes a text the request's body.
func (r *Request) SetText(mediaType string, text []byte) {
	r.Value, r.Body = nil, text
	r.Header.Set("Content-Type", mediaType)
}

// SetBody makes a JSON value the request's body.
func (r *Request) SetBody(mediaType string, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a JSON value
	}
	r.Value, r.Body = v, text
	r.Header.Set("Content-Type", mediaType)
}

// HTTP returns the request as it is sent to the server at that base URL.
func (r Request) HTTP(ctx context.Context, base string) (*http.Request, error) {
	target := r.Operation.Path
	for name, value := range r.Path {
		target = strings.ReplaceAll(target, "{"+name+"}", url.PathEscape(value))
	}
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Operation.Method, base+target, bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("make a request of %s: %w", r.Operation, err)
	}
	if r.Body == nil {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	return req, nil
}

// Refusals lists one way for each thing that the contract demands of the body of an
// operation; nil if it takes none, or lines, which are refused one by one.
func (o Operation) Refusals(t TB) []Refusal {
	if o.Body == nil || o.Lines != nil {
		return nil
	}
	return Refusals(o.bodySchema(t))
}

// Refuse changes the body of the request in that way; false where it cannot.
func (r *Request) Refuse(t *rapid.T, how Refusal) bool {
	v, ok := how.Apply(t, r.Operation.bodySchema(t), r.Value)
	if ok {
		r.SetBody(r.Operation.mediaType(t), v)
	}
	return ok
}

func (o Operation) bodySchema(t TB) *openapi3.Schema {
	return o.Body.Content[o.mediaType(t)].Schema.Value
}

// mediaType is the one in which a body is drawn.
func (o Operation) mediaType(t TB) string {
	for name, m := range o.Body.Content {
		if (name == linesType || name == "application/json" || strings.HasSuffix(name, "+json")) && m.Schema != nil {
			return name
		}
	}
	t.Fatal("contracttest draws bodies of JSON only, and " + o.ID + " has none: teach request.go what it takes")
	return ""
}

// set puts a parameter where it belongs.
func (r *Request) set(p *openapi3.Parameter, value string) {
	switch p.In {
	case openapi3.ParameterInQuery:
		r.Query.Set(p.Name, value)
	case openapi3.ParameterInHeader:
		r.Header.Set(p.Name, value)
	case openapi3.ParameterInPath:
		r.Path[p.Name] = value
	default:
		panic(fmt.Sprintf("contracttest cannot send the parameter %s in %s: teach request.go", p.Name, p.In))
	}
}

// drawParameter draws a text that a parameter takes.
func drawParameter(t *rapid.T, p *openapi3.Parameter) string {
	for range tries {
		value := Value(p.Schema.Value).Draw(t, p.Name)
		if p.Example != nil && rapid.IntRange(1, 3).Draw(t, "example") == 1 {
			value = p.Example
		}
		if text, ok := asText(value); ok && sendable(p, text) {
			return text
		}
	}
	t.Fatalf("contracttest cannot draw the parameter %s in %s: teach request.go what it takes", p.Name, p.In)
	return ""
}

// asText is a value as a parameter has it. Arrays and objects have many forms there.
func asText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// sendable reports whether a text can stand there at all.
func sendable(p *openapi3.Parameter, text string) bool {
	switch p.In {
	case openapi3.ParameterInHeader:
		return !slices.ContainsFunc([]byte(text), func(c byte) bool { return c < ' ' || c > '~' }) && strings.TrimSpace(text) == text
	case openapi3.ParameterInPath: // what clients and servers tidy up before the path is read
		return text != "" && text != "." && text != ".." && !strings.Contains(text, "/")
	}
	return true
}

// A ParameterRefusal is a request with a parameter that the contract refuses.
type ParameterRefusal struct {
	Name, Parameter string
	// Apply changes a request; false where it cannot.
	Apply func(t *rapid.T, r *Request) bool
}

// String returns both.
func (r ParameterRefusal) String() string { return r.Parameter + " " + r.Name }

// ParameterRefusals lists one way for each thing that the contract demands of an
// operation's parameters, its having no others among them.
func (o Operation) ParameterRefusals() []ParameterRefusal {
	const unknown = "no_such parameter&"
	all := []ParameterRefusal{{"is not known", unknown, func(_ *rapid.T, r *Request) bool {
		r.Query.Set(unknown, "x")
		return true
	}}}
	for _, p := range o.Parameters {
		if p.Required && p.In != openapi3.ParameterInPath {
			all = append(all, ParameterRefusal{"is missing", p.Name, func(_ *rapid.T, r *Request) bool {
				r.Query.Del(p.Name)
				r.Header.Del(p.Name)
				return true
			}})
		}
		if p.In == openapi3.ParameterInQuery {
			all = append(all, ParameterRefusal{"comes twice", p.Name, func(t *rapid.T, r *Request) bool {
				r.Query[p.Name] = []string{drawParameter(t, p), drawParameter(t, p)}
				return true
			}})
		}
		for _, how := range Refusals(p.Schema.Value) {
			all = append(all, ParameterRefusal{how.Name, p.Name, func(t *rapid.T, r *Request) bool { return r.refuse(t, p, how) }})
		}
	}
	return all
}

// refuse gives a parameter a value that its schema refuses even as a text: of the
// text of a number nothing says that it is not a text.
func (r *Request) refuse(t *rapid.T, p *openapi3.Parameter, how Refusal) bool {
	value, ok := how.Apply(t, p.Schema.Value, Value(solid(p.Schema.Value)).Draw(t, p.Name))
	text, simple := asText(value)
	if !ok || !simple || !sendable(p, text) {
		return false
	}
	if p.Schema.Value.Type.Is(openapi3.TypeString) && fits(p.Schema.Value, text) == nil {
		return false
	}
	if number, err := strconv.ParseFloat(text, 64); err == nil && fits(p.Schema.Value, number) == nil {
		return false
	}
	r.set(p, text)
	return true
}
