package indexkey

import (
	"cmp"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/order"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// A Position is a place in an order: see [PositionOf].
type Position struct {
	// Keys has one value for each of the order's keys.
	Keys []bson.RawValue
	// ID is the _id.
	ID bson.RawValue
}

// PositionOf returns the document's place in the order of keys (empty: by _id);
// desc reverses it. Where paths lead to an array the place is the first of
// its keys that a walk in that direction meets: the smallest element, in a descending
// walk the largest. It shares the document's memory.
func PositionOf(doc bson.Raw, keys []Key, desc bool) Position {
	p := Position{ID: wire.ID(doc)}
	if len(keys) == 0 {
		return p
	}
	var err error
	if p.Keys, err = NewUnbounded().First(doc, keys, desc); err == nil {
		return p
	}
	// No index on these keys admits the document, so it has no place. Each
	// path by itself has one, or null.
	p.Keys = make([]bson.RawValue, len(keys))
	for i := range keys {
		p.Keys[i] = wire.Null
		if row, err := NewUnbounded().First(doc, keys[i:i+1], desc); err == nil {
			p.Keys[i] = row[0]
		}
	}
	return p
}

// ComparePositions compares two places in the order of keys (empty: by _id),
// reversed if desc: the order of Find. The positions have one value for each key.
func ComparePositions(a, b Position, keys []Key, desc bool) int {
	byID := order.Compare(a.ID, b.ID)
	if desc {
		byID = -byID
	}
	if len(keys) == 0 {
		return byID
	}
	return cmp.Or(compareKeys(a.Keys, b.Keys, keys, desc), byID)
}
