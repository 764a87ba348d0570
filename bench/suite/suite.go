// Package suite is one run of the benchmarks: the orgd that is built for it, the
// processes that it starts, the turns in which two things are measured, and the report.
package suite

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A Suite is one run of the benchmarks.
type Suite struct {
	Dir    string // of all files of the run; removed at the end
	Orgd   string // the path of orgd
	Self   string // the path of this program, for the helpers
	commit string
	stderr io.Writer

	Rounds int           // how often each thing is measured
	Window time.Duration // how long a load is measured
	Count  int           // hashes that are measured, a processor
	Large  int           // organizations in a large orgd
	Quick  bool          // only shows that everything runs

	Rows  []Row
	notes []string
}

// New builds orgd and begins a run.
func New(ctx context.Context, quick bool, stderr io.Writer) (*Suite, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "orgd-bench-")
	if err != nil {
		return nil, err
	}
	s := &Suite{Dir: dir, Self: self, Orgd: filepath.Join(dir, "orgd"), stderr: stderr, Quick: quick,
		Rounds: 7, Window: 3 * time.Second, Count: 24, Large: 10_000}
	if quick {
		s.Rounds, s.Window, s.Count, s.Large = 1, 300*time.Millisecond, 2, 200
	}
	if err := s.GoTool(ctx, "build", "-o", s.Orgd, "github.com/orgd/orgd/cmd/orgd"); err != nil {
		s.Close()
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		s.commit = strings.TrimSpace(string(out))
	}
	return s, nil
}

// Close removes all files of the run.
func (s *Suite) Close() { _ = os.RemoveAll(s.Dir) }

// GoTool runs go without cgo, so that a build makes what `make build` makes.
func (s *Suite) GoTool(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// WithoutCgo builds this program without cgo, as orgd is: with it, Pebble's cache lies
// outside of Go's memory.
func (s *Suite) WithoutCgo(ctx context.Context) (program string, err error) {
	program = filepath.Join(s.Dir, "bench-without-cgo")
	return program, s.GoTool(ctx, "build", "-o", program, "github.com/orgd/orgd/bench")
}

// Progress tells the user what is being measured.
func (s *Suite) Progress(format string, args ...any) {
	fmt.Fprintf(s.stderr, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// ExitCode writes the error, if there is one, and returns the exit code of the program.
func ExitCode(stderr io.Writer, err error) int {
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}
