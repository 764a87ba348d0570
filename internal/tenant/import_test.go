package tenant_test

import (
	"errors"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
)

// An InsertMany of which any answer gets lost returns a true result for each document.
func TestInsertManyReportsTrueResults(t *testing.T) {
	for k := 1; k <= 2; k++ { // it reads the organization, and inserts
		for _, mode := range faulty.Modes {
			t.Run(fmt.Sprintf("call %d %s", k, mode), func(t *testing.T) {
				f := faulty.New(model.New())
				w := newWorld(t, f, plain)
				docs := w.Documents(w.create("Acme", "acme@x.example").ID)
				var bodies []bson.Raw
				for _, id := range []int{0, 1, 2, 3, 3, 4} {
					raw, err := bson.Marshal(bson.D{{Key: "_id", Value: id}, {Key: "line", Value: len(bodies)}})
					if err != nil {
						t.Fatal(err)
					}
					bodies = append(bodies, raw)
				}
				if _, err := docs.Insert(t.Context(), bodies[1]); err != nil {
					t.Fatal(err)
				}
				f.FailAt(f.Calls()+k, mode)
				results, err := docs.InsertMany(t.Context(), bodies)
				if err != nil {
					if errors.Is(err, org.Unavailable) {
						return // nothing was done, and it says so
					}
					if errors.Is(err, org.OutcomeUnknown) && mode != faulty.Before {
						return // some were refused, or may come yet
					}
					t.Fatal(err)
				}
				for i, result := range results {
					_, getErr := docs.Get(t.Context(), docdb.ID(bodies[i]))
					if getErr != nil {
						t.Errorf("line %d: %v, and %v", i, result, getErr)
					}
					if want := i == 1 || i == 4; want != errors.Is(result, org.DocumentExists) {
						t.Errorf("line %d: %v", i, result)
					}
				}
			})
		}
	}
}

// Where all documents are there, that no answer came does not matter; and nothing is sent
// again, which could arrive when a document has been deleted.
func TestInsertManyLooksForItsDocuments(t *testing.T) {
	f := faulty.New(model.New())
	w := newWorld(t, f, plain)
	docs := w.Documents(w.create("Acme", "acme@x.example").ID)
	var bodies []bson.Raw
	for id := range 3 {
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: id}})
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, raw)
	}
	sent := 0
	f.On(func(c faulty.Call) error {
		if c.Op == "InsertMany" {
			sent++
		}
		return nil
	})
	f.FailAt(f.Calls()+2, faulty.After)
	results, err := docs.InsertMany(t.Context(), bodies)
	if err != nil || errors.Join(results...) != nil || sent != 1 {
		t.Errorf("%v, %v; sent %d times", results, err, sent)
	}
}
