package contracttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"
)

// tries is how often something is drawn until it is what it should be. What does
// not come by then is a schema that this package has to be taught.
const tries = 100

// Value draws a value that a schema of a request takes, in the types of
// encoding/json. Where the schema has an example, that comes now and then: it is
// what a test can have made to be there.
//
// A schema that it cannot draw for fails the test, and says what to teach it.
func Value(schema *openapi3.Schema) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		var err error
		for range tries {
			v := plain(drawer{t}.value(schema, 0))
			if err = fits(schema, v); err == nil {
				return v
			}
		}
		t.Fatalf("contracttest cannot draw a value for this schema: %v; teach draw.go what the schema needs", err)
		return nil
	})
}

// fits holds a value of a request against its schema.
func fits(schema *openapi3.Schema, v any) error {
	return schema.VisitJSON(v, append(requestFormats, openapi3.VisitAsRequest())...)
}

// plain makes a value one that encoding/json could have read.
func plain(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // drawn from what JSON has
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		panic(err)
	}
	return out
}

// maxDepth is how deep optional parts go, so that a schema that holds itself ends.
const maxDepth = 4

type drawer struct{ *rapid.T }

func (d drawer) chance(oneIn int, label string) bool {
	return rapid.IntRange(1, oneIn).Draw(d.T, label) == oneIn
}

func (d drawer) value(s *openapi3.Schema, depth int) any {
	switch {
	case s.Nullable && d.chance(8, "null"):
		return nil
	case s.Example != nil && d.chance(4, "example"):
		return s.Example
	case len(s.Enum) > 0:
		return rapid.SampledFrom(s.Enum).Draw(d.T, "enum")
	case len(s.AllOf) > 0:
		return d.all(s, depth)
	case len(s.OneOf)+len(s.AnyOf) > 0:
		one := rapid.SampledFrom(slices.Concat(s.OneOf, s.AnyOf)).Draw(d.T, "of")
		return d.value(one.Value, depth)
	case s.Type == nil && len(s.Properties) > 0:
		return d.object(s, depth)
	case s.Type == nil:
		return d.anything(depth)
	}
	switch kind := s.Type.Slice()[0]; kind {
	case openapi3.TypeBoolean:
		return rapid.Bool().Draw(d.T, "boolean")
	case openapi3.TypeInteger, openapi3.TypeNumber:
		return d.number(s)
	case openapi3.TypeString:
		return d.text(s)
	case openapi3.TypeArray:
		return d.array(s, depth)
	case openapi3.TypeObject:
		return d.object(s, depth)
	default:
		d.Fatalf("contracttest cannot draw the type %q: teach draw.go", kind)
		return nil
	}
}

// all draws for allOf: objects are put together, anything else has to fit the rest
// by luck.
func (d drawer) all(s *openapi3.Schema, depth int) any {
	whole := map[string]any{}
	for _, part := range s.AllOf {
		object, ok := d.value(part.Value, depth).(map[string]any)
		if !ok {
			return d.value(part.Value, depth)
		}
		maps.Copy(whole, object)
	}
	if len(s.Properties) > 0 {
		maps.Copy(whole, d.object(s, depth))
	}
	return whole
}

func (d drawer) object(s *openapi3.Schema, depth int) map[string]any {
	object := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property := s.Properties[name].Value
		wanted := slices.Contains(s.Required, name) || depth < maxDepth && rapid.Bool().Draw(d.T, "with "+name)
		if wanted && !property.ReadOnly {
			object[name] = d.value(property, depth+1)
		}
	}
	more, open := s.AdditionalProperties.Schema, s.AdditionalProperties.Has != nil && *s.AdditionalProperties.Has
	if more == nil && !open || depth >= maxDepth {
		return object
	}
	for range rapid.IntRange(0, 3).Draw(d.T, "more") {
		name := rapid.StringMatching(`[a-z][a-zA-Z0-9]{0,9}`).Draw(d.T, "name")
		if more != nil {
			object[name] = d.value(more.Value, depth+1)
		} else {
			object[name] = d.anything(depth + 1)
		}
	}
	return object
}

func (d drawer) array(s *openapi3.Schema, depth int) []any {
	least := int(s.MinItems)
	most := least + 3
	if s.MaxItems != nil {
		most = min(most, int(*s.MaxItems))
	}
	if depth >= maxDepth {
		most = least
	}
	array := []any{}
	for range rapid.IntRange(least, most).Draw(d.T, "items") {
		if s.Items == nil {
			array = append(array, d.anything(depth+1))
		} else {
			array = append(array, d.value(s.Items.Value, depth+1))
		}
	}
	return array
}

// largest is the largest integer that JSON carries everywhere (2^53 - 1).
const largest = 1<<53 - 1

func (d drawer) number(s *openapi3.Schema) float64 {
	low, high := -1.0*largest, 1.0*largest
	if s.Min != nil {
		low = *s.Min
	}
	if s.Max != nil {
		high = *s.Max
	}
	step := 1.0
	if s.MultipleOf != nil {
		step = *s.MultipleOf
	} else if s.Type.Is(openapi3.TypeNumber) && d.chance(2, "fraction") {
		return rapid.Float64Range(low, high).Draw(d.T, "number")
	}
	return step * float64(rapid.Int64Range(int64(math.Ceil(low/step)), int64(math.Floor(high/step))).Draw(d.T, "number"))
}

// anything draws any JSON value.
func (d drawer) anything(depth int) any {
	kinds := 4
	if depth < maxDepth {
		kinds = 6
	}
	switch rapid.IntRange(1, kinds).Draw(d.T, "any") {
	case 1:
		return nil
	case 2:
		return rapid.Bool().Draw(d.T, "boolean")
	case 3:
		return rapid.Float64Range(-1e9, 1e9).Draw(d.T, "number")
	case 4:
		return rapid.StringN(0, 20, -1).Draw(d.T, "text")
	case 5:
		return []any{d.anything(depth + 1)}
	default:
		return map[string]any{rapid.StringMatching(`[a-zA-Z]{1,8}`).Draw(d.T, "name"): d.anything(depth + 1)}
	}
}

// brief is a value as a message shows it.
func brief(v any) string {
	text := fmt.Sprintf("%q", v)
	return text[:min(len(text), 200)]
}
