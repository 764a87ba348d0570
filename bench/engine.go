package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A comparison is of two of an engine's Go benchmarks.
type comparison struct {
	what       string
	ours, bare string // names without "Benchmark"; bare may be none
	target     float64
	list       bool // a call is long, and shown by how long
}

// engineComparisons are the same for both engines but for the names of the lists.
func engineComparisons(lists ...comparison) []comparison {
	all := []comparison{{what: "get by _id", ours: "Get/engine", bare: "Get/bare"}}
	for _, writers := range []string{"1", "8", "32"} {
		all = append(all, comparison{what: "durable insert, writers: " + writers,
			ours: "Insert/" + writers + "/engine", bare: "Insert/" + writers + "/bare"})
	}
	for _, writers := range []string{"1", "32"} {
		all = append(all, comparison{what: "get and compare-and-swap, writers: " + writers,
			ours: "CAS/" + writers + "/engine", bare: "CAS/" + writers + "/bare"})
	}
	return append(all, lists...)
}

// embedded measures the embedded engine against Pebble with nothing around it.
func (s *suite) embedded(ctx context.Context) error {
	all := engineComparisons(
		comparison{what: "list 100,000 documents", ours: "Find/all", bare: "Find/bare", list: true},
		comparison{what: "list 100,000 documents, filtered to 1; yardstick: reading all", ours: "Find/scan_for_1_in_100", bare: "Find/bare", list: true},
		comparison{what: "list 1,000 of 100,000 documents by an index", ours: "Find/by_index_1_in_100", list: true},
	)
	for i := range all {
		if all[i].ours == "Get/engine" || all[i].ours == "Insert/32/engine" {
			all[i].target = 0.50
		}
	}
	return s.goBenchmarks(ctx, "embedded engine", "internal/docdb/embedded", all)
}

// goBenchmarks runs a package's Go benchmarks, all of them once in each round, so
// that A and B take turns as in alternate.
func (s *suite) goBenchmarks(ctx context.Context, engine, pkg string, all []comparison, env ...string) error {
	program := filepath.Join(s.dir, filepath.Base(pkg)+".test")
	if err := s.goTool(ctx, "test", "-c", "-o", program, "github.com/orgd/orgd/"+pkg); err != nil {
		return err
	}
	benchtime := "1s"
	if s.quick {
		benchtime = "20x"
	}
	results := map[string][]float64{} // nanoseconds, one a round
	for round := range s.rounds {
		s.progress("  round %d of %d", round+1, s.rounds)
		cmd := exec.CommandContext(ctx, program, "-test.run=^$", "-test.bench=^Benchmark(Get|Insert|CAS|Find)$",
			"-test.benchtime="+benchtime, "-test.timeout=30m")
		cmd.Dir, cmd.Env = s.dir, environment(append(env, "TMPDIR="+s.dir)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", pkg, err, out)
		}
		for name, ns := range parseBenchmarks(string(out)) {
			results[name] = append(results[name], ns)
		}
	}
	for _, c := range all {
		if err := s.compare(engine, c, results); err != nil {
			return err
		}
	}
	return nil
}

// parseBenchmarks returns the nanoseconds of an operation by benchmark.
func parseBenchmarks(out string) map[string]float64 {
	results := map[string]float64{}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 4 || f[3] != "ns/op" {
			continue
		}
		name, isBenchmark := strings.CutPrefix(f[0], "Benchmark")
		ns, err := strconv.ParseFloat(f[2], 64)
		if !isBenchmark || err != nil {
			continue
		}
		// The last "-2" is GOMAXPROCS, which 1 leaves out; no name here ends like that.
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i]
		}
		results[name] = ns
	}
	return results
}

func (s *suite) compare(engine string, c comparison, results map[string][]float64) error {
	ours, bare := results[c.ours], results[c.bare]
	if len(ours) == 0 || c.bare != "" && len(bare) != len(ours) {
		return fmt.Errorf("no result of %s or %s", c.ours, c.bare)
	}
	cell := func(ns []float64) string {
		if c.list {
			return short(time.Duration(median(ns)))
		}
		return thousands(1e9/median(ns)) + " /s"
	}
	r := row{what: engine + ": " + c.what, orgd: cell(ours)}
	if c.bare != "" {
		// What takes half the time is twice as fast.
		ratio := medianRatio(bare, ours, func(ns float64) float64 { return ns })
		r.yardstick, r.ratio = cell(bare), percent(ratio)
		if c.target > 0 {
			r.target, r.reached = "≥ "+percent(c.target), verdictOf(ratio >= c.target)
		}
	}
	s.add(r)
	s.note("Engines: the Go benchmarks Get, Insert, CAS and Find of internal/docdb/embedded and internal/docdb/mongodb; the yardstick is the same work on bare Pebble, " +
		"with two keys an insert as the engine has, or on the bare MongoDB driver. Lists are compared by their speed, too.")
	return nil
}
