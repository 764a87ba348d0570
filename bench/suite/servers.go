package suite

import (
	"context"
	"os/exec"
	"path/filepath"

	"github.com/orgd/orgd/bench/process"
)

// StartOrgd starts an orgd with its data in dir. It has the defaults that a user gets,
// but no rate limits, which the one address that all load comes from would run into.
func (s *Suite) StartOrgd(ctx context.Context, dir string, env ...string) (*process.Server, error) {
	all := append([]string{"LISTEN_ADDR=127.0.0.1:0", "DATA_DIR=" + filepath.Join(s.Dir, dir),
		"RATE_LIMIT_SIGNUP=0", "RATE_LIMIT_LOGIN=0", "RATE_LIMIT_LOOKUP=0", "RATE_LIMIT_MOVE=0"}, env...)
	cmd := exec.CommandContext(ctx, s.Orgd, "serve")
	cmd.Dir, cmd.Env = s.Dir, process.Environment(all...)
	return process.Start(ctx, cmd, filepath.Join(s.Dir, dir+".log"), (*process.Server).Ready)
}

// StartHelper starts this program as the helper of that name, which serves.
func (s *Suite) StartHelper(ctx context.Context, name string, args ...string) (*process.Server, error) {
	return s.StartHelperOf(ctx, s.Self, name, args...)
}

// StartHelperOf is StartHelper with another build of this program.
func (s *Suite) StartHelperOf(ctx context.Context, program, name string, args ...string) (*process.Server, error) {
	cmd := exec.CommandContext(ctx, program, append([]string{name}, args...)...)
	cmd.Dir, cmd.Env = s.Dir, process.Environment()
	return process.Start(ctx, cmd, filepath.Join(s.Dir, name+".log"), (*process.Server).Ready)
}
