// Package engine measures the document engines without HTTP, by their Go benchmarks.
package engine

import (
	"context"

	"github.com/orgd/orgd/bench/suite"
)

// Embedded measures the embedded engine against Pebble with nothing around it.
func Embedded(ctx context.Context, s *suite.Suite) error {
	all := comparisons(
		comparison{what: "list 100,000 documents", ours: "Find/all", bare: "Find/bare", list: true},
		comparison{what: "list 100,000 documents, filtered to 1; yardstick: reading all", ours: "Find/scan_for_1_in_100", bare: "Find/bare", list: true},
		comparison{what: "list 1,000 of 100,000 documents by an index", ours: "Find/by_index_1_in_100", list: true},
	)
	for i := range all {
		if all[i].ours == "Get/engine" || all[i].ours == "Insert/32/engine" {
			all[i].target = 0.50
		}
	}
	return goBenchmarks(ctx, s, "embedded engine", "internal/docdb/embedded", all)
}

// MongoDB measures the MongoDB engine against the bare driver.
func MongoDB(ctx context.Context, s *suite.Suite, uri string) error {
	return goBenchmarks(ctx, s, "MongoDB engine", "internal/docdb/mongodb", comparisons(
		comparison{what: "list 100,000 documents", ours: "Find/all/engine", bare: "Find/all/bare", list: true},
		comparison{what: "list 100,000 documents, filtered to 1", ours: "Find/filtered/engine", bare: "Find/filtered/bare", list: true},
		comparison{what: "list 1,000 of 100,000 documents by an index", ours: "Find/indexed/engine", bare: "Find/indexed/bare", list: true},
	), "ORGD_TEST_MONGO_URI="+uri)
}
