package scan

import (
	"testing"

	"github.com/orgd/orgd/internal/docdb"
)

// Walked counts the keys that a query's plan walks over.
func Walked(t *testing.T, from Source, q docdb.Query) int {
	t.Helper()
	co, err := from.Catalog.Acquire(from.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Catalog.Release(co)
	it, err := from.Store.DB.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &walk{state: co.State.Load(), query: q, it: it}
	defer w.close()
	if err := w.choosePlan(false); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range w.plan.spans {
		if s.empty() {
			continue
		}
		it.SetBounds(s.lower, s.upper)
		for ok := it.First(); ok; ok = it.Next() {
			n++
		}
	}
	return n
}
