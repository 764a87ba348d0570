package collection

import (
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/meter"
)

// TestTakeRefusesAnotherOrderOfID: going on from a position would leave out what the server
// puts before it.
func TestTakeRefusesAnotherOrderOfID(t *testing.T) {
	for _, desc := range []bool{false, true} {
		s := &stream{
			c: &Collection{Namespace: "d.c"}, q: docdb.Query{Desc: desc},
			yield: func(bson.Raw, error) bool { return true }, room: meter.RoomOf(t.Context()),
		}
		ids := []any{1, "a", 2}
		if desc {
			ids = []any{"a", 1, "b"}
		}
		for i, id := range ids {
			more, err := s.take(bsontest.Doc(id))
			if wrong := i == 2; wrong != (err != nil) || wrong == more {
				t.Errorf("desc %t, %v: got %t, %v", desc, id, more, err)
			}
			if isSentinel := errors.Is(err, docdb.ErrUnavailable); isSentinel {
				t.Errorf("%v: nobody should try that again", err)
			}
		}
	}
}

func TestPlaceIsACopy(t *testing.T) {
	var p place
	doc := bsontest.Doc("one", "a", "x")
	keys := []docdb.Key{{Path: "a"}}
	p.set(docdb.PositionOf(doc, keys, false))
	copied := p.position()
	clear(doc)
	p.set(docdb.PositionOf(bsontest.Doc("two", "a", "yy"), keys, false))
	if copied.ID.StringValue() != "one" || copied.Keys[0].StringValue() != "x" {
		t.Errorf("got %v", copied)
	}
	if p.at.ID.StringValue() != "two" || p.at.Keys[0].StringValue() != "yy" {
		t.Errorf("got %v", p.at)
	}
}
