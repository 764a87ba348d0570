package filter_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	. "github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/filter"
)

// BenchmarkMatchAll matches filters as people write them against a document of 60
// fields and an array of 100 documents; the last looks at all of it.
func BenchmarkMatchAll(b *testing.B) {
	lines := bson.A{}
	for i := range 100 {
		lines = append(lines, bson.D{{Key: "sku", Value: i}, {Key: "count", Value: i % 7}, {Key: "title", Value: "part"}})
	}
	fields := []any{}
	for i := range 60 {
		fields = append(fields, string(rune('A'+i%26))+string(rune('a'+i/26)), i)
	}
	doc := Doc("x", append(fields, "lines", lines, "city", "London")...)
	for name, text := range map[string]string{
		"equality": `{"city":"Paris"}`,
		"list":     `{"city":{"$in":["Berlin","Paris","Rome"]}}`,
		"array":    `{"lines.sku":{"$gt":1000}}`,
		"branches": `{"$or":[{"lines.sku":200},{"lines.count":9},{"lines.title":"whole"},{"Aa":7}]}`,
	} {
		b.Run(name, func(b *testing.B) {
			f, err := filter.Parse(fromJSON(b, text))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if f.Match(doc) {
					b.Fatal("it matches")
				}
			}
		})
	}
}
