// Package keys is the key space of the embedded engine, and the encoding of values that sorts as
// docdb.Compare does.
package keys

import (
	"crypto/sha256"
	"encoding/binary"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// The key space. Numbers are big-endian; this is the format on disk.
//
//	01                            → the first collection number not yet reserved (8 bytes)
//	02 <database> 00 <collection> → the collection's catalogRecord (BSON)
//	03 <coll:4> <index:4>         → an index is being built; empty
//	10 <coll:4> 00 <id>           → a document, as it was given
//	10 <coll:4> 01 <index:4> 00 <id>            → this document has several entries in the index; empty
//	10 <coll:4> 01 <index:4> 01 <tuple> [<id>]  → an entry of an index: EntryValue
//
// A collection's number is never used again, so what a dropped one leaves behind
// can't come back. Entries of a unique index end with the tuple, and the id is in the
// value: one point lookup tells whether a key is taken, and Pebble itself
// could not hold two.
const (
	Counter       = 0x01
	SpaceCatalog  = 0x02
	SpaceBuilding = 0x03
	SpaceData     = 0x10

	PartDocuments = 0x00
	partIndexes   = 0x01

	IndexMulti   = 0x00
	IndexEntries = 0x01
)

// MaxPart is the longest encoding of an id or a tuple that a key holds as it is.
// Of a longer one the key holds the first MaxPart bytes and the SHA-256 of the
// whole: Pebble keeps the bounds of every file in memory and in its manifest, so
// keys of megabytes would be paid for twice. Equality is still exact. Order is
// too, except among long ones that begin with the same MaxPart bytes, which a walk
// sorts by looking at the documents (scan/group.go). No encoding of at most MaxPart
// bytes can begin with the same MaxPart bytes as a longer one, since none is a
// prefix of another.
const MaxPart = 2048

// AppendPart appends an encoding as it stands in a key.
func AppendPart(dst, encoded []byte) []byte {
	if len(encoded) <= MaxPart {
		return append(dst, encoded...)
	}
	sum := sha256.Sum256(encoded)
	return append(append(dst, encoded[:MaxPart]...), sum[:]...)
}

// Head is what is ordered of a part: all of a short one.
func Head(part []byte) []byte { return part[:min(len(part), MaxPart)] }

// AppendTuple appends the encoding of an index's values, or of the first of them.
func AppendTuple(dst []byte, keys []docdb.Key, values []bson.RawValue) []byte {
	for i, v := range values {
		start := len(dst)
		dst = AppendValue(dst, v)
		if keys[i].Desc {
			invert(dst[start:])
		}
	}
	return dst
}

// Collection begins all keys of a collection but those in the catalog.
func Collection(coll uint32) []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, 64), SpaceData), coll)
}

// Documents begins the keys of all documents of a collection.
func Documents(coll uint32) []byte { return append(Collection(coll), PartDocuments) }

// Index begins all keys of an index; IndexEntries and IndexMulti follow.
func Index(coll, index uint32) []byte {
	return binary.BigEndian.AppendUint32(append(Collection(coll), partIndexes), index)
}

// Building is the key that says that an index is being built.
func Building(coll, index uint32) []byte {
	key := binary.BigEndian.AppendUint32([]byte{SpaceBuilding}, coll)
	return binary.BigEndian.AppendUint32(key, index)
}

// Document is the key of a document, from the encoding of its _id.
func Document(coll uint32, id []byte) []byte { return AppendPart(Documents(coll), id) }

// Catalog needs no escaping: names hold no NUL. With an empty collection it is the
// prefix of all of a database's collections.
func Catalog(database, collection string) []byte {
	key := append([]byte{SpaceCatalog}, database...)
	return append(append(key, 0), collection...)
}

// Successor is the least key above all that begin with prefix; nil if there is none.
func Successor(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}

// MultiEntry is the bit in the first byte of an entry's value that says whether the
// document has other entries in the index.
const MultiEntry = 1

// EntryValue is the value of an index entry: the length of the tuple part, which
// is what tells it from the id part behind it; MultiEntry; for a unique index the id part.
func EntryValue(tupleLen int, id []byte) []byte {
	return append(binary.AppendUvarint(make([]byte, 0, 3+len(id)), uint64(tupleLen)<<1), id...)
}

// ParseEntry splits an entry whose key, without the prefix, is key. It reports
// false for what no version of this package wrote.
func ParseEntry(key, value []byte) (tuple, id []byte, multi, ok bool) {
	header, n := binary.Uvarint(value)
	length := header >> 1
	if n <= 0 || length > uint64(len(key)) {
		return nil, nil, false, false
	}
	id = key[length:]
	if len(id) == 0 {
		id = value[n:]
	}
	return key[:length], id, header&MultiEntry != 0, len(id) > 0
}

// Owner is the id part in the value of a unique index's entry.
func Owner(value []byte) []byte {
	_, n := binary.Uvarint(value)
	return value[max(n, 0):]
}

// ParseBuilding reads what Building makes; zeros if the key is none.
func ParseBuilding(key []byte) (coll, index uint32) {
	if len(key) != 9 {
		return 0, 0 // which no collection has
	}
	return binary.BigEndian.Uint32(key[1:]), binary.BigEndian.Uint32(key[5:])
}
