// Package docdbtest is docdb's contract as tests: Run, which every engine passes, with a case
// for each sentence of the contract. The cases are in the packages below suite.
//
// No portable test can show that acknowledged writes survive a crash of the process or the
// machine, that a read returns only writes that would survive it, or that Drop is cheap. The
// engine's own tests have to.
package docdbtest

import (
	"maps"
	"slices"
	"testing"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite/concurrency"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite/databases"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite/differential"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite/documents"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite/indexes"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite/queries"
)

// Run runs every case against engines that open returns. It calls open for the
// engine that the cases share, which it closes in the end, and cases that close an engine
// call it again. Engines may share their storage: every case uses databases of its own, named
// "docdbtest_" and a random part, and drops the collections in them.
//
// The number of runs of the differential test, and a run to do again, are rapid's flags:
// -rapid.checks, -rapid.seed, -rapid.failfile.
func Run(t *testing.T, open func(t *testing.T) docdb.Engine, opts suite.Options) {
	engine := open(t)
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	groups := []suite.Cases{
		databases.Cases, documents.Cases, documents.Writes, concurrency.Cancellations, concurrency.Races,
		queries.Find, queries.Paging, indexes.Cases, indexes.Sizes, queries.Order, differential.Cases,
	}
	for _, group := range groups {
		for _, name := range slices.Sorted(maps.Keys(group)) {
			t.Run(name, func(t *testing.T) {
				if reason := opts.Skip[name]; reason != "" {
					t.Skip(reason)
				}
				group[name](suite.New(t, engine, open, opts))
			})
		}
	}
	for name := range opts.Skip {
		if !slices.ContainsFunc(groups, func(g suite.Cases) bool { return g[name] != nil }) {
			t.Errorf("Options.Skip names the case %q, which is not there", name)
		}
	}
}
