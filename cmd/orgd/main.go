// Command orgd is the organization management service.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/orgd/orgd/internal/app"
)

const usage = `orgd onboards organizations, gives each its own collection, and manages it for life.

Usage: orgd <command>

  serve     run the service (default)
  config    print the configuration in force, secrets masked
  doctor    check that all that is stored fits together, and change nothing;
            --fix repairs what can be repaired without losing anything, --deep
            compares what MOVE_GRACE keeps with where the data is now, --verbose
            shows what a running orgd does by itself, --json prints JSON; exit
            code 0: all is well, 1: findings, 2: could not check
  version   print the version
  help      print this

Configuration comes from the environment and from a file .env in the working
directory; the environment wins. Variables:

`

// dotenv is where configuration is read from besides the environment.
const dotenv = ".env"

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code: 0, 1 for a failure, 2 for a wrong call; doctor has its own.
func run(args []string, stdout, stderr io.Writer) int {
	command := "serve"
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	if command == "doctor" {
		return doctor(args, stdout, stderr)
	}
	if len(args) > 0 {
		return complain(stderr, fmt.Errorf("%s takes no arguments, got %q; see orgd help", command, args[0]), 2)
	}
	switch command {
	case "serve":
		return serve(stderr)
	case "config":
		return config(stdout, stderr)
	case "version", "--version", "-v":
		fmt.Fprintln(stdout, "orgd", app.Version())
	case "help", "--help", "-h":
		fmt.Fprint(stdout, usage)
		app.DescribeVariables(stdout)
	default:
		return complain(stderr, fmt.Errorf("unknown command %q; see orgd help", command), 2)
	}
	return 0
}

func serve(stderr io.Writer) int {
	cfg, err := app.Load(os.Environ(), dotenv)
	if err != nil {
		return complain(stderr, err, 1)
	}
	ctx, stop := untilSignaled()
	defer stop()
	if err := app.Run(ctx, cfg, stderr); err != nil {
		return complain(stderr, err, 1)
	}
	return 0
}

// untilSignaled returns a context that ends with the first signal to stop. A second
// signal ends the process at once: it is not caught any more.
func untilSignaled() (ctx context.Context, stop func()) {
	signaled, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	context.AfterFunc(signaled, func() {
		release()
		cancel()
	})
	return ctx, release
}

func config(stdout, stderr io.Writer) int {
	cfg, err := app.Load(os.Environ(), dotenv)
	if err != nil {
		return complain(stderr, err, 1)
	}
	cfg.Describe(stdout)
	return 0
}

// complain writes an error, which has a line for each problem.
func complain(stderr io.Writer, err error, code int) int {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(stderr, "orgd:", strings.TrimSuffix(line, "\n"))
	}
	return code
}
