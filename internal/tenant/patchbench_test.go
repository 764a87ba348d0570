package tenant_test

import (
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/tenant"
)

func benchmarked(b *testing.B, text string) bson.Raw {
	b.Helper()
	var raw bson.Raw
	if err := bson.UnmarshalExtJSON([]byte(text), false, &raw); err != nil {
		b.Fatal(err)
	}
	return raw
}

// order is a document of 3 KB as people have them.
func order() string {
	var s strings.Builder
	s.WriteString(`{"_id":"x","customer":{"name":"Ada","address":{"city":"London","zip":"W1"}},"lines":[`)
	for i := range 30 {
		fmt.Fprintf(&s, `{"sku":"A-%05d","title":"Analytical engine, part %d","count":%d},`, i, i, i)
	}
	return strings.TrimSuffix(s.String(), ",") + `],"state":"open","total":1234.5}`
}

func BenchmarkMergePatch(b *testing.B) {
	target := benchmarked(b, order())
	for name, text := range map[string]string{
		"one field": `{"state":"paid"}`,
		"nested":    `{"customer":{"address":{"city":"Paris"},"vip":true},"state":null}`,
	} {
		b.Run(name, func(b *testing.B) {
			patch := benchmarked(b, text)
			b.ReportAllocs()
			for b.Loop() {
				tenant.MergePatch(target, patch)
			}
		})
	}
}

func BenchmarkProjection(b *testing.B) {
	doc := benchmarked(b, order())
	for name, paths := range map[string][]string{
		"one field":       {"state"},
		"within an array": {"lines.sku", "lines.count", "customer.name"},
	} {
		b.Run(name, func(b *testing.B) {
			p := tenant.NewProjection(paths)
			b.ReportAllocs()
			for b.Loop() {
				p.Apply(nil, doc)
			}
		})
	}
}
