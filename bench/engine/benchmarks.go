package engine

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/orgd/orgd/bench/figure"
	"github.com/orgd/orgd/bench/process"
	"github.com/orgd/orgd/bench/suite"
)

// A comparison is that of two Go benchmarks of an engine.
type comparison struct {
	what       string
	ours, bare string // names without "Benchmark"; bare may be none
	target     float64
	list       bool // a call is long, and shown by how long
}

// comparisons are the same for both engines but for the names of the lists.
func comparisons(lists ...comparison) []comparison {
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

// goBenchmarks runs a package's Go benchmarks, all of them once in each round, so
// that A and B take turns as in suite.Alternate.
func goBenchmarks(ctx context.Context, s *suite.Suite, engine, pkg string, all []comparison, env ...string) error {
	program := filepath.Join(s.Dir, filepath.Base(pkg)+".test")
	if err := s.GoTool(ctx, "test", "-c", "-o", program, "github.com/orgd/orgd/"+pkg); err != nil {
		return err
	}
	benchtime := "1s"
	if s.Quick {
		benchtime = "20x"
	}
	results := map[string][]float64{} // nanoseconds, one a round
	for round := range s.Rounds {
		s.Progress("  round %d of %d", round+1, s.Rounds)
		cmd := exec.CommandContext(ctx, program, "-test.run=^$", "-test.bench=^Benchmark(Get|Insert|CAS|Find)$",
			"-test.benchtime="+benchtime, "-test.timeout=30m")
		cmd.Dir, cmd.Env = s.Dir, process.Environment(append(env, "TMPDIR="+s.Dir)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", pkg, err, out)
		}
		for name, ns := range parseBenchmarks(string(out)) {
			results[name] = append(results[name], ns)
		}
	}
	for _, c := range all {
		if err := compareBenchmarks(s, engine, c, results); err != nil {
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

func compareBenchmarks(s *suite.Suite, engine string, c comparison, results map[string][]float64) error {
	ours, bare := results[c.ours], results[c.bare]
	if len(ours) == 0 || c.bare != "" && len(bare) != len(ours) {
		return fmt.Errorf("no result of %s or %s", c.ours, c.bare)
	}
	cell := func(ns []float64) string {
		if c.list {
			return figure.Short(time.Duration(figure.Median(ns)))
		}
		return figure.Thousands(1e9/figure.Median(ns)) + " /s"
	}
	r := suite.Row{What: engine + ": " + c.what, Orgd: cell(ours)}
	if c.bare != "" {
		// What takes half the time is twice as fast.
		ratio := figure.MedianRatio(bare, ours, func(ns float64) float64 { return ns })
		r.Yardstick, r.Ratio = cell(bare), figure.Percent(ratio)
		if c.target > 0 {
			r.Target, r.Reached = "≥ "+figure.Percent(c.target), suite.Reached(ratio >= c.target)
		}
	}
	s.Add(r)
	s.Note("Engines: the Go benchmarks Get, Insert, CAS and Find of internal/docdb/embedded and internal/docdb/mongodb; the yardstick is the same work on bare Pebble, " +
		"with two keys an insert as the engine has, or on the bare MongoDB driver. Lists are compared by their speed, too.")
	return nil
}
