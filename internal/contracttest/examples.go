package contracttest

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// CheckExamples returns what is wrong with the contract's examples. Each has to fit
// its schema, answers without a property that the schema does not name; every
// body, every answer and every parameter has to have one; and of the properties
// of schemas those that have one.
func (c *Contract) CheckExamples() error {
	e := exampleCheck{contract: c}
	for path, item := range c.doc.Paths.Map() {
		for method, o := range item.Operations() {
			where := method + " " + path
			for _, ref := range slices.Concat(item.Parameters, o.Parameters) {
				p := ref.Value
				if example := first(p.Example, p.Examples, p.Schema); example != nil || !asksForMore(p) {
					e.one(where+" parameter "+p.Name, p.Schema, example, requestFormats)
				}
			}
			if o.RequestBody != nil {
				e.content(where+" body", o.RequestBody.Value.Content, append(requestFormats, openapi3.VisitAsRequest()))
			}
			for status, ref := range o.Responses.Map() {
				e.content(where+" "+status, ref.Value.Content, append(answerFormats, openapi3.VisitAsResponse()))
			}
		}
	}
	for name, ref := range c.doc.Components.Schemas {
		e.schema(name, ref, 0)
	}
	return errors.Join(e.wrong...)
}

type exampleCheck struct {
	contract *Contract
	wrong    []error
}

func (e *exampleCheck) one(where string, schema *openapi3.SchemaRef, example any, how []openapi3.SchemaValidationOption) {
	if example == nil {
		e.wrong = append(e.wrong, fmt.Errorf("%s has no example", where))
		return
	}
	if err := schema.Value.VisitJSON(plain(example), append(how, openapi3.MultiErrors())...); err != nil {
		e.wrong = append(e.wrong, fmt.Errorf("the example of %s: %w", where, err))
	}
}

func (e *exampleCheck) content(where string, content openapi3.Content, how []openapi3.SchemaValidationOption) {
	for name, m := range content {
		if m.Schema == nil {
			continue
		}
		all := examplesOf(m)
		if len(all) == 0 {
			all = map[string]any{"": nil}
		}
		for example, value := range all {
			e.one(where+" "+name+" "+example, m.Schema, value, how)
			if text, ok := value.(string); ok && m.Extensions["x-line-schema"] != nil {
				e.wrong = append(e.wrong, e.contract.holdLines(m, []byte(text))...)
			}
		}
	}
}

// schema looks at the examples in a schema.
func (e *exampleCheck) schema(where string, ref *openapi3.SchemaRef, depth int) {
	if ref == nil || depth > maxDepth {
		return
	}
	if ref.Value.Example != nil {
		e.one("schema "+where, ref, ref.Value.Example, requestFormats)
	}
	for name, property := range ref.Value.Properties {
		e.schema(where+"."+name, property, depth+1)
	}
	e.schema(where+"[]", ref.Value.Items, depth+1)
}

func examplesOf(m *openapi3.MediaType) map[string]any {
	all := map[string]any{}
	if m.Example != nil {
		all["example"] = m.Example
	}
	for name, ref := range m.Examples {
		all[name] = ref.Value.Value
	}
	return all
}

// asksForMore reports whether a parameter is a header that may be left out. It may
// go without an example, which Swagger UI would send with every request.
func asksForMore(p *openapi3.Parameter) bool {
	return p.In == openapi3.ParameterInHeader && !p.Required
}

// first is the example of a parameter.
func first(example any, examples openapi3.Examples, schema *openapi3.SchemaRef) any {
	for _, name := range slices.Sorted(maps.Keys(examples)) {
		if example == nil {
			example = examples[name].Value.Value
		}
	}
	if example == nil && schema != nil {
		example = schema.Value.Example
	}
	return example
}

// Examples returns the contract's examples of requests, by name: one for each of
// the body, or "" alone where there is no body. Parameters have their own.
func (o Operation) Examples(t TB) map[string]Request {
	t.Helper()
	bare := Request{Operation: o, Path: map[string]string{}, Query: url.Values{}, Header: http.Header{}}
	for _, p := range o.Parameters {
		example := first(p.Example, p.Examples, p.Schema)
		if example == nil && asksForMore(p) {
			continue
		}
		text, ok := asText(plain(example))
		if !ok {
			t.Fatal("the parameter " + p.Name + " of " + o.ID + " has no example that request.go could send")
		}
		bare.set(p, text)
	}
	if o.Body == nil {
		return map[string]Request{"": bare}
	}
	all := map[string]Request{}
	media := o.mediaType(t)
	for name, value := range examplesOf(o.Body.Content[media]) {
		r := bare
		r.Header = bare.Header.Clone()
		if text, ok := value.(string); ok && o.Lines != nil {
			r.SetText(media, []byte(text))
		} else {
			r.SetBody(media, value)
		}
		all[name] = r
	}
	return all
}

// AnswerKeys returns the names that the examples of an answer have, each example's
// sorted and joined by commas; nil where the answer is no JSON object, or one that
// may have anything in it.
func (o Operation) AnswerKeys(status int) []string {
	var all []string
	ref := o.Spec.Responses.Value(strconv.Itoa(status))
	if ref == nil {
		return nil
	}
	for name, m := range ref.Value.Content {
		open := m.Schema != nil && m.Schema.Value.AdditionalProperties.Has != nil && *m.Schema.Value.AdditionalProperties.Has
		if open || name != "application/json" && !strings.HasSuffix(name, "+json") {
			continue
		}
		for _, value := range examplesOf(m) {
			if object, ok := value.(map[string]any); ok {
				all = append(all, Keys(object))
			}
		}
	}
	return all
}

// Keys returns the names of an object's properties, sorted and joined by commas.
func Keys(object map[string]any) string {
	return strings.Join(slices.Sorted(maps.Keys(object)), ",")
}
