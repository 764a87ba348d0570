package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// A server is a child process that listens on an address.
type server struct {
	addr string
	cmd  *exec.Cmd
	log  string // the file of what it writes
	done chan struct{}
	err  error // once done is closed

	readyAfter time.Duration // from its start
}

// startOrgd starts an orgd with a user's defaults but for rate limits, which the
// one address that all load comes from would meet, and with its data in dir.
func (s *suite) startOrgd(ctx context.Context, dir string, env ...string) (*server, error) {
	all := append([]string{"LISTEN_ADDR=127.0.0.1:0", "DATA_DIR=" + filepath.Join(s.dir, dir),
		"RATE_LIMIT_SIGNUP=0", "RATE_LIMIT_LOGIN=0", "RATE_LIMIT_LOOKUP=0", "RATE_LIMIT_MOVE=0"}, env...)
	cmd := exec.CommandContext(ctx, s.orgd, "serve")
	cmd.Dir, cmd.Env = s.dir, environment(all...)
	return start(ctx, cmd, filepath.Join(s.dir, dir+".log"), (*server).ready)
}

// startHelper starts this program as one of the helpers that serve.
func (s *suite) startHelper(ctx context.Context, name string, args ...string) (*server, error) {
	return s.startHelperOf(ctx, s.self, name, args...)
}

// startHelperOf starts one of another build of this program.
func (s *suite) startHelperOf(ctx context.Context, program, name string, args ...string) (*server, error) {
	cmd := exec.CommandContext(ctx, program, append([]string{name}, args...)...)
	cmd.Dir, cmd.Env = s.dir, environment()
	return start(ctx, cmd, filepath.Join(s.dir, name+".log"), (*server).ready)
}

// start starts a server and waits until ready has no error.
func start(ctx context.Context, cmd *exec.Cmd, log string, ready func(*server) error) (*server, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	v := &server{cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		defer close(v.done)
		v.err = cmd.Wait()
	}()
	if err := v.wait(ctx, ready); err != nil {
		return nil, errors.Join(err, v.stop())
	}
	v.readyAfter = time.Since(began)
	return v, nil
}

// startTimeout bounds a start.
const startTimeout = time.Minute

func (v *server) wait(ctx context.Context, ready func(*server) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := ready(v)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", v.cmd.Path, err)
		case <-v.done:
			return v.ended()
		case <-time.After(time.Millisecond):
		}
	}
}

// whereItListens is how orgd, and the helpers, say it in their log.
var whereItListens = regexp.MustCompile(`url=http://([0-9.:]+)`)

// ready asks for a 200 from /readyz, where the log says that the server listens:
// an address that was free before it started may be another program's by then.
func (v *server) ready() error {
	text, err := os.ReadFile(v.log)
	if err != nil {
		return err
	}
	where := whereItListens.FindSubmatch(text)
	if where == nil {
		return errors.New("it does not listen yet")
	}
	v.addr = string(where[1])
	c, err := dial(v.addr)
	if err != nil {
		return err
	}
	defer c.close()
	_, err = c.do(newRequest("GET", "/readyz", nil), 200)
	return err
}

// ended is an error if the process has ended, with the end of what it wrote.
func (v *server) ended() error {
	select {
	case <-v.done:
	default:
		return nil
	}
	text, _ := os.ReadFile(v.log)
	return fmt.Errorf("%s has ended: %v\n%s", v.cmd.Path, v.err, text[max(0, len(text)-2000):])
}

func (v *server) pid() int { return v.cmd.Process.Pid }

// stop ends the process as a supervisor does, and waits for it.
func (v *server) stop() error { return v.signal(syscall.SIGTERM) }

// kill ends it as a crash does.
func (v *server) kill() error { return v.signal(syscall.SIGKILL) }

func (v *server) signal(sig os.Signal) error {
	if err := v.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-v.done:
		return nil
	case <-time.After(startTimeout):
		return errors.Join(fmt.Errorf("%s does not end", v.cmd.Path), v.cmd.Process.Kill())
	}
}

// freeAddr returns an address that nothing listens on.
func freeAddr(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// secret makes a JWT_SECRET.
func secret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
