package tenant_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// batch makes documents of "id key".
func batch(t *testing.T, texts ...string) []bson.Raw {
	t.Helper()
	all := make([]bson.Raw, len(texts))
	for i, text := range texts {
		id, key, _ := strings.Cut(text, " ")
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: id}, {Key: "k", Value: key}, {Key: "at", Value: i}})
		if err != nil {
			t.Fatal(err)
		}
		all[i] = raw
	}
	return all
}

// outcomes are one letter each.
func outcomes(all []tenant.Imported) string {
	s := ""
	for _, one := range all {
		s += string("-irsx"[one.Outcome])
	}
	return s
}

// TestImportConflicts: what becomes of documents whose place is taken; also within
// the batch, where the order counts; and also where there is no room for new ones.
func TestImportConflicts(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			how         tenant.OnConflict
			quota       int64
			want, after string
		}{
			{tenant.ConflictFails, 0, "xxixi", "a b c e"},
			{tenant.ConflictSkips, 0, "ssisi", "a b c e"},
			{tenant.ConflictReplaces, 0, "rxiri", "a b c e"},
			{tenant.ConflictFails, 2, "xxxxx", "a b"},
			{tenant.ConflictSkips, 2, "sxxxx", "a b"},
			{tenant.ConflictReplaces, 2, "rxxxx", "a b"},
		} {
			name := fmt.Sprintf("how %d quota %d", c.how, c.quota)
			o := w.create(name, fmt.Sprintf("i%d%d@x.example", c.how, c.quota))
			docs := w.Documents(o.ID)
			if err := docs.CreateIndex(t.Context(), tenant.Index{Name: "k", Keys: []tenant.Key{{Path: "k"}}, Unique: true}); err != nil {
				t.Fatal(err)
			}
			if all, err := docs.Import(t.Context(), tenant.ConflictFails, batch(t, "a 1", "b 2")); err != nil || outcomes(all) != "ii" {
				t.Fatal(all, err)
			}
			if _, err := w.SetQuota(t.Context(), o.ID, org.Quota{MaxDocuments: c.quota}); err != nil {
				t.Fatal(err)
			}
			all, err := docs.Import(t.Context(), c.how, batch(t, "a 1", "d 2", "c 3", "c 3", "e 5"))
			if err != nil || outcomes(all) != c.want {
				t.Errorf("%s: %s %v %v, want %s", name, outcomes(all), all, err, c.want)
			}
			page, last, err := docs.ExportPage(t.Context(), tenant.Filter{}, bson.RawValue{})
			if err != nil || !last {
				t.Fatal(last, err)
			}
			var ids []string
			for _, doc := range page {
				ids = append(ids, docdb.ID(doc).StringValue())
			}
			if !slices.Equal(ids, strings.Fields(c.after)) {
				t.Errorf("%s: there are %q, want %s", name, ids, c.after)
			}
		}
	})
}

// TestImportThatFails: it reports the documents that were added before the failure, and no others.
func TestImportThatFails(t *testing.T) {
	storage := faulty.New(embeddedEngine(t))
	w := newWorld(t, storage)
	docs := w.Documents(w.create("Acme", "a@x.example").ID)
	seen := 0
	storage.On(func(c faulty.Call) error {
		if c.Op == "InsertMany" {
			if seen++; seen > 1 {
				return docdb.ErrUnavailable
			}
		}
		return nil
	})
	all, err := docs.Import(t.Context(), tenant.ConflictFails, batch(t, "a 1", "b 2", "a 3", "c 4"))
	if !errors.Is(err, org.Unavailable) || outcomes(all) != "ii--" {
		t.Errorf("%s %v", outcomes(all), err)
	}
	storage.On(func(c faulty.Call) error {
		if c.Op == "Replace" {
			return errors.New("innards")
		}
		return nil
	})
	all, err = docs.Import(t.Context(), tenant.ConflictReplaces, batch(t, "a 1", "x 2"))
	if err == nil || errors.Is(err, context.Canceled) || outcomes(all) != "-i" {
		t.Errorf("%s %v", outcomes(all), err)
	}
	storage.On(nil)
}

// TestExportPages: a filter, pages that end by number and by size, and none twice.
func TestExportPages(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		docs := w.Documents(w.create("Acme", "a@x.example").ID)
		const n = 2500
		for from := 0; from < n; from += 500 {
			var all []bson.Raw
			for i := from; i < from+500; i++ {
				all = append(all, batch(t, fmt.Sprintf("%04d %d", i, i%2))...)
			}
			if _, err := docs.Import(t.Context(), tenant.ConflictFails, all); err != nil {
				t.Fatal(err)
			}
		}
		for filter, want := range map[string]int{"": n, "1": n / 2, "2": 0} {
			f := tenant.Filter{}
			if filter != "" {
				f = docdb.Eq("k", filter)
			}
			got, at := 0, bson.RawValue{}
			for last := false; !last; {
				var page []bson.Raw
				var err error
				if page, last, err = docs.ExportPage(t.Context(), f, at); err != nil {
					t.Fatal(err)
				}
				for _, doc := range page {
					if id := docdb.ID(doc); at.Type != 0 && docdb.Compare(id, at) <= 0 {
						t.Fatalf("%s behind %s", id, at)
					}
					at, got = docdb.ID(doc), got+1
				}
			}
			if got != want {
				t.Errorf("filter %q: %d documents, want %d", filter, got, want)
			}
		}
	})
}
