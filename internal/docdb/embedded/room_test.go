package embedded

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/meter"
)

// TestReadsAskForRoom before they copy a document; for what is small in all they do not.
func TestReadsAskForRoom(t *testing.T) {
	e, err := Open(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	db := e.Database("db")
	if err := db.Create(t.Context(), "docs"); err != nil {
		t.Fatal(err)
	}
	c := db.Collection("docs")
	const size = 100 << 10
	for i := range 10 {
		raw, _ := bson.Marshal(bson.D{{Key: "_id", Value: int32(i)}, {Key: "text", Value: strings.Repeat("x", size)}})
		if err := c.Insert(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	full := errors.New("full")
	asked, room := 0, 0
	ctx := meter.WithRoom(t.Context(), func(bytes int) error {
		if asked += bytes; asked > room {
			return full
		}
		return nil
	})
	find := func(ctx context.Context) (n int, err error) {
		for doc, err := range c.Find(ctx, docdb.Query{}) {
			if err != nil {
				return n, err
			}
			n += len(doc)
		}
		return n, nil
	}
	id := bson.RawValue{Type: bson.TypeInt32, Value: []byte{3, 0, 0, 0}}

	room = 20 * size
	if n, err := find(ctx); err != nil || asked > n || n-asked >= 64<<10 {
		t.Errorf("%d bytes are read, %d were asked for: %v", n, asked, err)
	}
	room, asked = 5*size, 0
	if n, err := find(ctx); !errors.Is(err, full) || n > room {
		t.Errorf("%d bytes are read with room for %d: %v", n, room, err)
	}
	room, asked = 2*size, 0
	if doc, err := c.Get(ctx, id); err != nil || asked != len(doc) {
		t.Errorf("%d bytes are got, %d were asked for: %v", len(doc), asked, err)
	}
	if doc, err := c.Get(ctx, id); !errors.Is(err, full) || doc != nil {
		t.Errorf("%d bytes are got without room: %v", len(doc), err)
	}
	if _, err := find(t.Context()); err != nil {
		t.Errorf("nobody bounds it: %v", err)
	}
	small, _ := bson.Marshal(bson.D{{Key: "_id", Value: "small"}})
	if err := c.Insert(ctx, small); err != nil {
		t.Fatal(err)
	}
	asked = 0
	if _, err := c.Get(ctx, docdb.ID(small)); err != nil || asked != 0 {
		t.Errorf("for a small document %d bytes were asked for: %v", asked, err)
	}
}
