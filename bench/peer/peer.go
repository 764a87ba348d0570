// Package peer compares orgd on MongoDB with a small FastAPI program of the mission's own
// endpoints (see fastapi/main.py), and with a loop of the bare driver that sends the
// commands which orgd cannot do without.
package peer

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/orgd/orgd/bench/mongoserver"
	"github.com/orgd/orgd/bench/suite"
	"github.com/orgd/orgd/internal/garbage"
)

const (
	clients = 16
	// cost is the bcrypt cost of all that are compared: the least, so that hashing hides little.
	cost = 4
	// there are organizations from the beginning, which are looked up and log in. With few of
	// them, requests for the same would meet.
	there = 256
)

// Command is `bench peer`. It returns the exit code: 0 also when targets are missed, which
// the table says.
func Command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("peer", flag.ContinueOnError)
	flags.SetOutput(stderr)
	python := flags.String("python", "bench/.peer/bin/python", "the Python that has what bench/peer/fastapi/requirements.txt lists")
	rounds := flags.Int("rounds", 5, "how often each is measured, in turns")
	window := flags.Duration("window", 2*time.Second, "how long each is measured in a round")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	return suite.ExitCode(stderr, run(ctx, *python, *rounds, *window, stdout, stderr))
}

func run(ctx context.Context, python string, rounds int, window time.Duration, stdout, stderr io.Writer) error {
	s, err := suite.New(ctx, false, stderr)
	if err != nil {
		return err
	}
	defer s.Close()
	s.Rounds, s.Window = rounds, window
	if python, err = filepath.Abs(python); err != nil {
		return err
	}
	err = mongoserver.With(ctx, s, func(uri string) error { return compare(ctx, s, uri, python) })
	if err == nil && len(s.Rows) == 0 {
		err = errors.New("peer: set ORGD_BENCH_MONGO_URI or ORGD_BENCH_MONGOD: see bench/main.go")
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s\n%s", s.Table(time.Now()), s.Notes())
	return err
}

// compare starts the three and measures them in turns.
func compare(ctx context.Context, s *suite.Suite, uri, python string) (err error) {
	orgd, err := startOrgd(ctx, s, uri)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, orgd.server.Stop()) }()
	fastapi, err := startFastAPI(ctx, s, uri, python)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fastapi.server.Stop()) }()
	loop, err := openDriver(ctx, uri)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loop.close()) }()
	defer garbage.Tune()() // the loop runs in this process
	for _, fill := range []func(context.Context) error{orgd.fill, fastapi.fill, loop.fill} {
		if err := fill(ctx); err != nil {
			return err
		}
	}
	c := &comparison{Suite: s, orgd: orgd, fastapi: fastapi, loop: loop}
	return c.all(ctx)
}
