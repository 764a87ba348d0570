package tenant_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// TestIndexesCountInTheQuota: what documents take in indexes is known with each write, and
// an index that takes too much is not made.
func TestIndexesCountInTheQuota(t *testing.T) {
	w := newWorld(t, embeddedEngine(t), plain)
	ctx, acme := t.Context(), w.create("Acme", "acme@x.example")
	docs := w.Documents(acme.ID)
	document := func(id, n int) bson.Raw {
		many := make(bson.A, n)
		for i := range many {
			many[i] = fmt.Sprint(i, strings.Repeat("y", 50))
		}
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: fmt.Sprint(id)}, {Key: "many", Value: many}})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	counted := func() tenant.Stats {
		t.Helper()
		stats, err := docs.Stats(ctx, time.Minute)
		if documents, bytes := w.Usage(acme.ID); err != nil || documents != stats.Documents || bytes != stats.Bytes+stats.IndexBytes {
			t.Errorf("%d documents of %d bytes were counted, there are %+v, %v", documents, bytes, stats, err)
		}
		return stats
	}
	ix := tenant.Index{Name: "many", Keys: []docdb.Key{{Path: "many"}}}
	if err := docs.CreateIndex(ctx, ix); err != nil {
		t.Fatal(err)
	}
	w.limit(acme.ID, 0, 40_000)
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		_, err = docs.Insert(ctx, document(n, 20))
	}
	if stats := counted(); !errors.Is(err, org.QuotaExceeded) || stats.IndexBytes < stats.Bytes || stats.Bytes+stats.IndexBytes < 30_000 {
		t.Errorf("after %d documents (%+v): %v", n, stats, err)
	}
	for _, change := range []func() error{
		func() error { return docs.Delete(ctx, stringID(t, "0"), tenant.Condition{}) },
		func() error { _, _, err := docs.Put(ctx, tenant.Condition{}, document(1, 1)); return err },
		func() error {
			_, err := docs.InsertMany(ctx, []bson.Raw{document(1000, 3), document(1, 3)})
			return err
		},
	} {
		if err := change(); err != nil {
			t.Error(err)
		}
		counted()
	}
	other := tenant.Index{Name: "other", Keys: []docdb.Key{{Path: "many"}, {Path: "x"}}}
	if err := docs.CreateIndex(ctx, other); !errors.Is(err, org.QuotaExceeded) {
		t.Errorf("an index that takes too much: %v", err)
	}
	if err := docs.CreateIndex(ctx, ix); err != nil {
		t.Errorf("the same index again: %v", err)
	}
	if list, err := docs.Indexes(ctx); err != nil || len(list) != 1 || list[0].Name != "many" {
		t.Errorf("the indexes are %v, %v", list, err)
	}
	if err := docs.DropIndex(ctx, "many"); err != nil {
		t.Fatal(err)
	}
	if _, err := docs.Insert(ctx, document(2000, 20)); err != nil {
		t.Errorf("without the index: %v", err)
	}
	if stats := counted(); stats.IndexBytes != 0 {
		t.Errorf("%+v", stats)
	}
}
