package contracttest

import (
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"
)

// A Refusal turns a value that a schema takes into a value that it refuses.
type Refusal struct {
	Name string   // "too long"
	Path []string // to the place that an error has to name; of an array's item "0"
	// apply draws the value that comes in the place of old.
	apply func(d drawer, old any) any
}

// String returns both.
func (r Refusal) String() string { return strings.Join(r.Path, "/") + " " + r.Name }

// Apply draws a value that a schema refuses, from one that it takes. It reports
// false where the change does not break the schema, which happens only where
// the schema is composed of several; anywhere else it fails the test.
func (r Refusal) Apply(t *rapid.T, schema *openapi3.Schema, valid any) (any, bool) {
	for range tries {
		v := plain(r.apply(drawer{t}, valid))
		if fits(schema, v) != nil {
			return v, true
		}
	}
	if !composed(schema, 0) {
		t.Fatalf("contracttest cannot break this schema (%s), last with %s: teach refuse.go", r, brief(r.apply(drawer{t}, valid)))
	}
	return nil, false
}

func composed(s *openapi3.Schema, depth int) bool {
	if len(s.AllOf)+len(s.OneOf)+len(s.AnyOf) > 0 || s.Not != nil {
		return true
	}
	if depth > maxDepth {
		return false
	}
	for _, p := range s.Properties {
		if composed(p.Value, depth+1) {
			return true
		}
	}
	return s.Items != nil && composed(s.Items.Value, depth+1)
}

// Refusals lists one way for each thing that a schema demands.
func Refusals(schema *openapi3.Schema) []Refusal { return refusals(schema, 0) }

func refusals(s *openapi3.Schema, depth int) []Refusal {
	if depth > maxDepth {
		return nil
	}
	all := wrongTypes(s)
	for _, part := range s.AllOf {
		all = append(all, refusals(part.Value, depth+1)...)
	}
	switch {
	case len(s.Enum) > 0:
		return append(all, refusal("not in the enum", func(d drawer, _ any) any { return d.spoil("none of these") }))
	case s.Type.Is(openapi3.TypeString):
		return append(all, ofText(s)...)
	case s.Type.Is(openapi3.TypeInteger), s.Type.Is(openapi3.TypeNumber):
		return append(all, ofNumber(s)...)
	case s.Type.Is(openapi3.TypeArray):
		return append(all, ofArray(s, depth)...)
	case s.Type.Is(openapi3.TypeObject), len(s.Properties) > 0:
		return append(all, ofObject(s, depth)...)
	}
	return all
}

func refusal(name string, apply func(drawer, any) any) Refusal {
	return Refusal{Name: name, apply: apply}
}

// wrongTypes are values of all the types that the schema does not name.
func wrongTypes(s *openapi3.Schema) []Refusal {
	if s.Type == nil {
		return nil
	}
	var all []Refusal
	for _, one := range []struct {
		name  string
		types []string
		value any
	}{
		{"text", []string{openapi3.TypeString}, "text"},
		{"a boolean", []string{openapi3.TypeBoolean}, true},
		{"an integer", []string{openapi3.TypeInteger, openapi3.TypeNumber}, 7},
		{"an array", []string{openapi3.TypeArray}, []any{}},
		{"an object", []string{openapi3.TypeObject}, map[string]any{}},
	} {
		if !slices.ContainsFunc(one.types, s.Type.Includes) {
			all = append(all, refusal(one.name, func(drawer, any) any { return one.value }))
		}
	}
	if !s.Nullable {
		all = append(all, refusal("null", func(drawer, any) any { return nil }))
	}
	return all
}

func ofText(s *openapi3.Schema) []Refusal {
	var all []Refusal
	if s.MinLength > 0 {
		all = append(all, refusal("too short", func(_ drawer, old any) any {
			return string([]rune(old.(string))[:s.MinLength-1])
		}))
	}
	if s.MaxLength != nil && *s.MaxLength <= longText {
		all = append(all, refusal("too long", func(_ drawer, old any) any {
			text := old.(string)
			filler, _ := utf8.DecodeLastRuneInString(text + "x")
			return text + strings.Repeat(string(filler), int(*s.MaxLength)+1-utf8.RuneCountInString(text))
		}))
	}
	if s.Pattern != "" {
		all = append(all, refusal("of another pattern", func(d drawer, old any) any { return d.spoil(old.(string)) }))
	}
	if s.Format != "" && s.Format != "password" {
		all = append(all, refusal("of another format", func(d drawer, old any) any { return d.spoil(old.(string)) }))
	}
	return all
}

func ofNumber(s *openapi3.Schema) []Refusal {
	var all []Refusal
	if s.Type.Is(openapi3.TypeInteger) {
		all = append(all, refusal("a fraction", func(_ drawer, old any) any {
			return math.Mod(old.(float64), 1000) + 0.5 // of the largest there is no half more
		}))
	}
	if s.Min != nil {
		all = append(all, refusal("too small", func(drawer, any) any { return *s.Min - 1 }))
	}
	if s.Max != nil {
		all = append(all, refusal("too large", func(drawer, any) any { return *s.Max + 1 }))
	}
	return all
}

func ofArray(s *openapi3.Schema, depth int) []Refusal {
	var all []Refusal
	item := func(d drawer) any {
		if s.Items == nil {
			return "item"
		}
		return Value(solid(s.Items.Value)).Draw(d.T, "item")
	}
	if s.MinItems > 0 {
		all = append(all, refusal("too few", func(_ drawer, old any) any { return old.([]any)[:s.MinItems-1] }))
	}
	if s.MaxItems != nil && *s.MaxItems <= longText {
		all = append(all, refusal("too many", func(d drawer, _ any) any {
			return slices.Repeat([]any{item(d)}, int(*s.MaxItems)+1)
		}))
	}
	if s.Items == nil {
		return all
	}
	for _, sub := range refusals(s.Items.Value, depth+1) {
		all = append(all, Refusal{Name: sub.Name, Path: slices.Insert(slices.Clone(sub.Path), 0, "0"), apply: func(d drawer, old any) any {
			array := slices.Clone(old.([]any))
			if len(array) == 0 || array[0] == nil {
				array = append([]any{item(d)}, array[min(len(array), 1):]...)
			}
			array[0] = sub.apply(d, array[0])
			return array
		}})
	}
	return all
}

// solid is a schema without null.
func solid(s *openapi3.Schema) *openapi3.Schema {
	c := *s
	c.Nullable = false
	return &c
}

// extra is a property that no schema has; its name has what a JSON Pointer and a
// fragment have to escape.
const extra = "no~such/prop%erty é"

func ofObject(s *openapi3.Schema, depth int) []Refusal {
	var all []Refusal
	edit := func(name, property string, change func(d drawer, object map[string]any)) {
		all = append(all, Refusal{Name: name, Path: []string{property}, apply: func(d drawer, old any) any {
			object := maps.Clone(old.(map[string]any))
			change(d, object)
			return object
		}})
	}
	if has := s.AdditionalProperties.Has; has != nil && !*has {
		edit("is not known", extra, func(_ drawer, object map[string]any) { object[extra] = "x" })
	}
	for _, property := range s.Required {
		edit("is missing", property, func(_ drawer, object map[string]any) { delete(object, property) })
	}
	for _, property := range slices.Sorted(maps.Keys(s.Properties)) {
		schema := s.Properties[property].Value
		if schema.ReadOnly {
			continue
		}
		for _, sub := range refusals(schema, depth+1) {
			edit(sub.Name, property, func(d drawer, object map[string]any) {
				if object[property] == nil { // absent, or null where that is allowed
					object[property] = Value(solid(schema)).Draw(d.T, property)
				}
				object[property] = sub.apply(d, object[property])
			})
			all[len(all)-1].Path = append([]string{property}, sub.Path...)
		}
	}
	return all
}
