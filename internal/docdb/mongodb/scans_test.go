package mongodb_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/meter"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// TestScansLeaveConnectionsToOthers: while others' scans have their half of the pool, a
// client's scan waits, and gets, writes, and reads that are not a client's go on.
func TestScansLeaveConnectionsToOthers(t *testing.T) {
	uri := mongotest.URI(t)
	sign := "/?"
	if strings.Contains(uri, "?") {
		sign = "&"
	}
	e := open(t, mongodb.Config{URI: strings.TrimSuffix(uri, "/") + sign + "maxPoolSize=4"})
	db := e.Database(mongotest.Database(t))
	c := db.Collection("scanned")
	if err := db.Create(t.Context(), "scanned"); err != nil {
		t.Fatal(err)
	}
	doc, err := bson.Marshal(bson.M{"_id": 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Insert(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
	find := func(ctx context.Context) (n int, err error) {
		for _, err := range c.Find(ctx, docdb.Query{}) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	client := meter.WithTurns(t.Context(), func() meter.Turn { return meter.NoTurn })
	for range 2 {
		if err := e.Scans().Enter(t.Context(), "another"); err != nil {
			t.Fatal(err)
		}
	}
	soon, cancel := context.WithTimeout(client, 50*time.Millisecond)
	defer cancel()
	if _, err := find(soon); !errors.Is(err, docdb.ErrUnavailable) {
		t.Errorf("a client's list answers %v", err)
	}
	if _, err := c.Count(soon, docdb.Filter{}); !errors.Is(err, docdb.ErrUnavailable) {
		t.Errorf("a client's count answers %v", err)
	}
	if n, err := find(t.Context()); n != 1 || err != nil {
		t.Errorf("orgd's own list has %d documents: %v", n, err)
	}
	if _, err := c.Get(client, docdb.ID(doc)); err != nil {
		t.Errorf("a client's get: %v", err)
	}
	e.Scans().Leave()
	if n, err := find(client); n != 1 || err != nil {
		t.Errorf("when there is a place, a list has %d documents: %v", n, err)
	}
	if n, err := c.Count(client, docdb.Filter{}); n != 1 || err != nil {
		t.Errorf("and a count is %d: %v", n, err)
	}
	e.Scans().Leave()
}
