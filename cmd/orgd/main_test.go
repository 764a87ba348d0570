package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"orgd": func() {
			dropPrivileges()
			limitFiles()
			main()
		},
	})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			port, err := closedPort()
			e.Setenv("CLOSED_PORT", port)
			e.Setenv("SECRET", "q0Z8mFvT3rYx6LkS1nWb9PdJ4hGc7AeU2iXo5Rt")
			e.Setenv("LISTEN_ADDR", "127.0.0.1:0")
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"refuses": refuses,
			"serve":   serveInScript,
			"lines":   lines,
			// For orgd doctor.
			"exitcode": exitCode,
			"populate": populate,
			"spoil":    spoil,
		},
	})
}

// closedPort is a port of the loopback interface that no program listens on.
func closedPort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// refuses [-keep] [NAME=value...] pattern... starts orgd with those variables added
// and wants it to end soon, with exit code 1, nothing on stdout, and on stderr one
// line for each of the patterns, in order, and nothing else but what a slow start waits
// for. Passwords in scripts begin with hunter, and are never shown. Without -keep no directory
// data may be there afterwards.
func refuses(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: refuses [-keep] [NAME=value...] pattern...")
	}
	keep := args[0] == "-keep"
	if keep {
		args = args[1:]
	}
	var env []string
	for len(args) > 0 && variable.MatchString(args[0]) {
		env, args = append(env, args[0]), args[1:]
	}
	code, stdout, stderr := runOrgd(ts, env)
	if strings.Contains(stderr, "hunter") {
		ts.Fatalf("orgd serve with %q shows a password:\n%s", env, stderr)
	}
	got := slices.DeleteFunc(strings.Split(strings.TrimSuffix(stderr, "\n"), "\n"), func(line string) bool {
		return strings.Contains(line, `msg="still starting: `)
	})
	if code != 1 || stdout != "" || len(got) != len(args) {
		ts.Fatalf("orgd serve with %q: exit code %d, stdout %q, and on stderr %d lines instead of %d:\n%s", env, code, stdout, len(got), len(args), stderr)
	}
	for i, pattern := range args {
		if re, err := regexp.Compile("^orgd: " + pattern); err != nil || !re.MatchString(got[i]) {
			ts.Fatalf("orgd serve with %q says\n%s\nwhich does not match\n^orgd: %s", env, got[i], pattern)
		}
	}
	if _, err := os.Stat(ts.MkAbs("data")); err == nil && !keep {
		ts.Fatalf("orgd serve with %q leaves the directory data behind", env)
	}
}

var variable = regexp.MustCompile(`^[A-Za-z_]+=`)

// runOrgd runs a start that should fail. It may take as long as it takes to see that
// a database does not answer, and not much more.
func runOrgd(ts *testscript.TestScript, env []string) (code int, stdout, stderr string) {
	var out, errs strings.Builder
	cmd := exec.Command("orgd", "serve")
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), &out, &errs
	for _, name := range []string{"LISTEN_ADDR", "PATH", "DATA_DIR", "MONGO_URI", "JWT_SECRET", unprivileged} {
		if value := ts.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	ts.Check(cmd.Start())
	late := time.AfterFunc(patience/2, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // the exit code says it
	if !late.Stop() {
		ts.Fatalf("orgd serve with %q does not fail:\n%s", env, errs.String())
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// serveInScript starts an orgd that serves until the script ends; its address is in
// ADDR then.
func serveInScript(ts *testscript.TestScript, neg bool, env []string) {
	if neg {
		ts.Fatalf("usage: serve [NAME=value...]")
	}
	p, err := launch(ts.MkAbs("."), env...)
	ts.Check(err)
	ts.Defer(func() { _ = p.kill() })
	ts.Check(p.ready())
	ts.Setenv("ADDR", strings.TrimPrefix(p.url, "http://"))
}

// lines wants stdout or stderr of the last command to have so many lines.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines stdout|stderr number")
	}
	if got := strings.Count(ts.ReadFile(args[0]), "\n"); strconv.Itoa(got) != args[1] {
		ts.Fatalf("%s has %d lines, want %s", args[0], got, args[1])
	}
}
