// Command bench measures orgd against what it is built on, and says which of the
// figures it has to reach are reached.
//
//	go run ./bench [-quick] [-rounds N] [-run get,login,...] [-o FILE]
//
//	go run ./bench siege [-lasts 5s] [-tenants 1,10] [-kinds scans,...]
//
// besieges orgd with hostile clients of each kind, and fails when they do harm: see the
// package siege.
//
//	go run ./bench against -orgd PROGRAM [-rounds N] [-kinds import,...]
//
// compares orgd with another build of it: see the package against.
//
//	go run ./bench peer [-python PROGRAM] [-rounds N] [-window 2s]
//
// compares orgd on MongoDB with a FastAPI program of the mission's endpoints and with the
// bare driver: see the package peer (`make bench-peer` installs what the program needs).
//
// It builds orgd, runs it as a process of its own with the defaults of a user,
// apart from what a row says, and talks to it over the loopback interface.
// Figures of a machine say little about another one, and on a busy machine little
// about itself; so every target is a ratio to a yardstick that is measured in the
// same run, in turns with orgd (see suite.Alternate).
//
// The parts that need a MongoDB server run with
//
//	ORGD_BENCH_MONGO_URI   a server that runs; its databases bench_* are used and dropped
//	ORGD_BENCH_MONGOD      the program of a server to start, a mongod or one with options like secantusd-rs
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/orgd/orgd/bench/against"
	"github.com/orgd/orgd/bench/bare"
	"github.com/orgd/orgd/bench/documents"
	"github.com/orgd/orgd/bench/engine"
	"github.com/orgd/orgd/bench/mongoserver"
	"github.com/orgd/orgd/bench/move"
	"github.com/orgd/orgd/bench/move/phase"
	"github.com/orgd/orgd/bench/organizations"
	"github.com/orgd/orgd/bench/peer"
	"github.com/orgd/orgd/bench/siege"
	"github.com/orgd/orgd/bench/suite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// A part is what -run chooses.
type part struct {
	name, does string
	run        func(context.Context, *suite.Suite) error
}

var parts = []part{
	{"engine", "the embedded engine against bare Pebble", engine.Embedded},
	{"get", "GET /org/get against a bare Echo", organizations.Gets},
	{"login", "logins and creates against bcrypt alone", organizations.Logins},
	{"storm", "GET /org/get while many log in", organizations.Storm},
	{"size", "memory, restart and creates at 10,000 organizations", organizations.Size},
	{"documents", "documents over HTTP: get, insert, import, export and pages", documents.Measure},
	{"documents-mongo", "documents over HTTP, on MongoDB", documents.OnMongoDB},
	{"move", "moves of an organization's data against a bare copy", move.Measure},
	{"mongo", "the MongoDB engine, and orgd on it", onMongoDB},
}

// onMongoDB measures the MongoDB engine against the bare driver, and orgd on it. There
// are no targets: most of the time is the server's.
func onMongoDB(ctx context.Context, s *suite.Suite) error {
	return mongoserver.With(ctx, s, func(uri string) error {
		if err := engine.MongoDB(ctx, s, uri); err != nil {
			return err
		}
		return organizations.OnMongoDB(ctx, s, uri)
	})
}

// maxRun bounds the whole run: a server that hangs must not hang this for ever.
const maxRun = 90 * time.Minute

// run returns the exit code: 0 also when targets are missed, which the table says.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "siege" {
		return siege.Command(ctx, args[1:], stdout, stderr)
	}
	if len(args) > 0 && args[0] == "against" {
		return against.Command(ctx, args[1:], stdout, stderr)
	}
	if len(args) > 0 && args[0] == "peer" {
		return peer.Command(ctx, args[1:], stdout, stderr)
	}
	if len(args) > 0 && helpers[args[0]] != nil {
		return suite.ExitCode(stderr, helpers[args[0]](ctx, args[1:], stdout))
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	quick := flags.Bool("quick", false, "see whether everything runs; the figures mean little")
	chosen := flags.String("run", names(), "the parts to run, separated by commas")
	rounds := flags.Int("rounds", 0, "how often each figure and its yardstick are measured in turns (default 7, quick 1)")
	out := flags.String("o", "", "the file to write the results to, besides the standard output")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	selected, err := choose(*chosen)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	ctx, cancel := context.WithTimeout(ctx, maxRun)
	defer cancel()
	return suite.ExitCode(stderr, measure(ctx, selected, *quick, *rounds, *out, stdout, stderr))
}

func names() string {
	var all []string
	for _, p := range parts {
		all = append(all, p.name)
	}
	return strings.Join(all, ",")
}

func choose(list string) ([]part, error) {
	var chosen []part
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no part %q; there are %s", name, names())
		}
		chosen = append(chosen, parts[i])
	}
	return chosen, nil
}

// measure runs the parts and writes the results, those from before an error
// included.
func measure(ctx context.Context, selected []part, quick bool, rounds int, out string, stdout, stderr io.Writer) error {
	s, err := suite.New(ctx, quick, stderr)
	if err != nil {
		return err
	}
	defer s.Close()
	if rounds > 0 {
		s.Rounds = rounds
	}
	for _, p := range selected {
		s.Progress("%s: %s", p.name, p.does)
		if err = p.run(ctx, s); err != nil {
			err = fmt.Errorf("%s: %w", p.name, err)
			break
		}
	}
	text := s.Report(time.Now())
	fmt.Fprint(stdout, text)
	if err == nil && out != "" {
		err = os.WriteFile(out, []byte(text+kept(out)), 0o644)
	}
	return err
}

// kept is the end of a file of results that another run has measured: what follows the
// heading of `bench peer`.
func kept(file string) string {
	const heading = "\n## Against a FastAPI peer"
	text, _ := os.ReadFile(file) // there need be none
	if i := strings.Index(string(text), heading); i >= 0 {
		return string(text[i:])
	}
	return ""
}

// helpers are the yardsticks, and what is measured without an orgd, that run as
// processes of their own, as orgd does: this program, with one of these names as its first argument.
var helpers = map[string]func(ctx context.Context, args []string, stdout io.Writer) error{
	"bare-echo":      bare.Echo,
	"bare-documents": documents.Bare,
	"bare-bcrypt":    organizations.BareBcrypt,
	"move":           phase.Run,
	"hostile":        siege.Hostile,
}
