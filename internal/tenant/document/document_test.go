package document

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

func BenchmarkStored(b *testing.B) {
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: bson.NewObjectID()}, {Key: "name", Value: "Ada"},
		{Key: "born", Value: int64(1815)}, {Key: "text", Value: strings.Repeat("x", 1000)}, {Key: "tags", Value: bson.A{"a", "b"}}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		FromStored(Stored(docdb.ID(raw), raw, bson.ObjectID{1}))
	}
}
