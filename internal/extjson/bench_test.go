package extjson

import (
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// order is a document as people have them: 4 KB, three levels, every common type.
func order() []byte {
	var b strings.Builder
	b.WriteString(`{"_id":{"$oid":"6b046f0fea3ada54677e927a"},"customer":{"name":"Ada \"Countess\" Lovelace","city":"London","vip":true,"note":null},"at":{"$date":"2026-11-23T12:00:00Z"},"lines":[`)
	for i := range 30 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"sku":"A-%05d","title":"Analytical engine, part %d","count":%d,"price":%d.25,"tags":["brass","steam"]}`, i, i, i%7, i*3)
	}
	b.WriteString(`],"total":1234.5,"ref":12345678901}`)
	return []byte(b.String())
}

func BenchmarkParseOrder(b *testing.B) {
	text := order()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text, Documents); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendOrder(b *testing.B) {
	doc, err := Parse(order(), Documents)
	if err != nil {
		b.Fatal(err)
	}
	for name, write := range map[string]func([]byte, bson.Raw) []byte{"relaxed": Append, "canonical": AppendCanonical} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				dst = write(dst[:0], doc)
			}
		})
	}
}
