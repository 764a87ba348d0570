package main

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// documentBytes is the size of a stored document of the move.
const documentBytes = 350

// A documentKey names a document of the move: number n of those from the beginning
// if k is 0, else one that was inserted next to it.
type documentKey struct{ n, k int64 }

func (d documentKey) id() string { return fmt.Sprintf("document-%08d-%06d", d.n, d.k) }

// noise is what documents are filled with: hexadecimal digits, which can be
// compressed to half.
var noise = sync.OnceValue(func() string {
	const digits = "0123456789abcdef"
	r := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, 1<<20)
	for i := range text {
		text[i] = digits[r.IntN(len(digits))]
	}
	return string(text)
})

// body is the document at its version of that number, as a client writes it: what
// it must look like can be told at any time.
func (d documentKey) body(version int64) bson.D { return d.document(version, nil) }

func (d documentKey) document(version int64, rev any) bson.D {
	const rest = 107 // of a document with _rev and without text
	all := bson.D{{Key: "_id", Value: d.id()}}
	if rev != nil {
		all = append(all, bson.E{Key: "_rev", Value: rev})
	}
	length := documentBytes - rest
	at := int(uint64(d.n*7_919+d.k*104_729+version*1_299_709) % uint64(len(noise())-length))
	return append(all, bson.E{Key: "n", Value: d.n}, bson.E{Key: "k", Value: d.k}, bson.E{Key: "version", Value: version},
		bson.E{Key: "text", Value: noise()[at : at+length]})
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
