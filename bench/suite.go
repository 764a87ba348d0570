package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// A suite is one run of the program.
type suite struct {
	dir    string // of all its files; removed at the end
	orgd   string // the program
	self   string // this program, for the helpers
	commit string
	stderr io.Writer

	rounds int
	window time.Duration // how long a load is measured
	count  int           // of measured hashes, a processor
	large  int           // organizations in a large orgd
	quick  bool

	rows  []row
	notes []string
}

// newSuite builds orgd.
func newSuite(ctx context.Context, quick bool, stderr io.Writer) (*suite, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "orgd-bench-")
	if err != nil {
		return nil, err
	}
	s := &suite{dir: dir, self: self, orgd: filepath.Join(dir, "orgd"), stderr: stderr, quick: quick,
		rounds: 7, window: 3 * time.Second, count: 24, large: 10_000}
	if quick {
		s.rounds, s.window, s.count, s.large = 1, 300*time.Millisecond, 2, 200
	}
	if err := s.goTool(ctx, "build", "-o", s.orgd, "github.com/orgd/orgd/cmd/orgd"); err != nil {
		s.close()
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		s.commit = strings.TrimSpace(string(out))
	}
	return s, nil
}

func (s *suite) close() { _ = os.RemoveAll(s.dir) }

// goTool calls go as the Makefile does; CGO_ENABLED=0 makes what `make build` makes.
func (s *suite) goTool(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// withoutCgo builds this program without cgo, as orgd is: with it, Pebble's cache lies
// outside of Go's memory.
func (s *suite) withoutCgo(ctx context.Context) (program string, err error) {
	program = filepath.Join(s.dir, "bench-without-cgo")
	return program, s.goTool(ctx, "build", "-o", program, "github.com/orgd/orgd/bench")
}

// progress tells who waits what is being done.
func (s *suite) progress(format string, args ...any) {
	fmt.Fprintf(s.stderr, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// environment is what a child gets: nothing of the user's configuration.
func environment(extra ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir()}, extra...)
}

// cores is how many goroutines can compute at the same time.
func cores() int { return runtime.GOMAXPROCS(0) }
