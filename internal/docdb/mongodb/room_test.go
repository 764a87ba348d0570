package mongodb_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/meter"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// TestFindAsksForRoom: it asks before it copies a document for the caller, and ends with the error
// that the room returns.
func TestFindAsksForRoom(t *testing.T) {
	c := create(t, mongotest.URI(t))
	const size = 100 << 10
	for i := range 5 {
		if err := c.Insert(t.Context(), bsontest.Doc(i, "text", strings.Repeat("x", size))); err != nil {
			t.Fatal(err)
		}
	}
	full, asked := errors.New("full"), 0
	ctx := meter.WithRoom(t.Context(), func(bytes int) error {
		if asked += bytes; asked > 3*size+size/2 {
			return full
		}
		return nil
	})
	n := 0
	var last error
	for _, err := range c.Find(ctx, docdb.Query{}) {
		if last = err; err == nil {
			n++
		}
	}
	if n != 3 || last != full {
		t.Errorf("%d documents are read with room for three: %v", n, last)
	}
}
