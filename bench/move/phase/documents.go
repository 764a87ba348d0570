package phase

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/bench/fixture"
)

// DocumentBytes is the size of a stored document of the move.
const DocumentBytes = 350

// A documentKey names a document of the move: if k is 0, number n of those from the
// beginning, or else a document that was inserted next to it.
type documentKey struct{ n, k int64 }

func (d documentKey) id() string { return fmt.Sprintf("document-%08d-%06d", d.n, d.k) }

// body is the document at that version, as a client writes it. The key and the version
// say what it must look like at any time.
func (d documentKey) body(version int64) bson.D { return d.document(version, nil) }

func (d documentKey) document(version int64, rev any) bson.D {
	const rest = 107 // of a document with _rev and without text
	all := bson.D{{Key: "_id", Value: d.id()}}
	if rev != nil {
		all = append(all, bson.E{Key: "_rev", Value: rev})
	}
	length := DocumentBytes - rest
	at := int(uint64(d.n*7_919+d.k*104_729+version*1_299_709) % uint64(len(fixture.Noise())-length))
	return append(all, bson.E{Key: "n", Value: d.n}, bson.E{Key: "k", Value: d.k}, bson.E{Key: "version", Value: version},
		bson.E{Key: "text", Value: fixture.Noise()[at : at+length]})
}

// stored is the document as orgd stores it.
func (d documentKey) stored() (bson.Raw, error) {
	return bson.Marshal(d.document(0, bson.NewObjectID()))
}

// keyOf returns the key and the version that a document says it is.
func keyOf(doc bson.Raw) (documentKey, int64) {
	number := func(name string) int64 { v, _ := doc.Lookup(name).Int64OK(); return v }
	return documentKey{number("n"), number("k")}, number("version")
}
