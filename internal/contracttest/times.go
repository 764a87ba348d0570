package contracttest

import (
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Times lists the properties of an operation's successful answers that only time shows:
// instants, and durations, which have an x-unit.
func (o Operation) Times() []string {
	all := map[string]bool{}
	for status, ref := range o.Spec.Responses.Map() {
		for name, m := range ref.Value.Content {
			if strings.HasPrefix(status, "2") && name == "application/json" {
				timesOf(m.Schema, "", all, 0)
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func timesOf(ref *openapi3.SchemaRef, name string, all map[string]bool, depth int) {
	if ref == nil || depth > maxDepth {
		return
	}
	s := ref.Value
	if s.Format == "date-time" || s.Extensions["x-unit"] != nil {
		all[name] = true
	}
	for property, sub := range s.Properties {
		timesOf(sub, property, all, depth+1)
	}
	timesOf(s.Items, name, all, depth+1)
	for _, part := range slices.Concat(s.AllOf, s.AnyOf, s.OneOf) {
		timesOf(part, name, all, depth+1)
	}
}
