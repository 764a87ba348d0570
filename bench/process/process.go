// Package process starts the servers that are measured, each a process of its own, and
// ends them.
package process

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"time"

	"github.com/orgd/orgd/bench/client"
)

// A Server is a child process that listens on an address.
type Server struct {
	Addr string
	cmd  *exec.Cmd
	log  string // the file that the process writes to
	done chan struct{}
	err  error // how the process ended, once done is closed

	ReadyAfter time.Duration // from exec to the first time that it was ready
}

// Start starts a server and waits until ready has no error.
func Start(ctx context.Context, cmd *exec.Cmd, log string, ready func(*Server) error) (*Server, error) {
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
	v := &Server{cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		defer close(v.done)
		v.err = cmd.Wait()
	}()
	if err := v.wait(ctx, ready); err != nil {
		return nil, errors.Join(err, v.Stop())
	}
	v.ReadyAfter = time.Since(began)
	return v, nil
}

// startTimeout bounds a start, and an end.
const startTimeout = time.Minute

func (v *Server) wait(ctx context.Context, ready func(*Server) error) error {
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
			return v.Ended()
		case <-time.After(time.Millisecond):
		}
	}
}

// listens is how orgd and the helpers say in their log where they listen.
var listens = regexp.MustCompile(`url=http://([0-9.:]+)`)

// Ready has no error when /readyz answers 200 at the address that the log says: an
// address that was free before it started may be another program's by then.
func (v *Server) Ready() error {
	text, err := os.ReadFile(v.log)
	if err != nil {
		return err
	}
	where := listens.FindSubmatch(text)
	if where == nil {
		return errors.New("it does not listen yet")
	}
	v.Addr = string(where[1])
	c, err := client.Dial(v.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Do(client.NewRequest("GET", "/readyz", nil), 200)
	return err
}

// Once sends one request on a connection of its own.
func (v *Server) Once(req client.Request, want int) ([]byte, error) {
	c, err := client.Dial(v.Addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Do(req, want)
}

// Ended is an error if the process has ended, with the last lines of its log.
func (v *Server) Ended() error {
	select {
	case <-v.done:
	default:
		return nil
	}
	text, _ := os.ReadFile(v.log)
	return fmt.Errorf("%s has ended: %v\n%s", v.cmd.Path, v.err, text[max(0, len(text)-2000):])
}

// Pid is the number of the process.
func (v *Server) Pid() int { return v.cmd.Process.Pid }

// Stop ends the process as a supervisor does, and waits for it.
func (v *Server) Stop() error { return v.signal(syscall.SIGTERM) }

// Kill ends the process as a crash does.
func (v *Server) Kill() error { return v.signal(syscall.SIGKILL) }

func (v *Server) signal(sig os.Signal) error {
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

// FreeAddr returns an address that nothing listens on.
func FreeAddr(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// JWTSecret makes a JWT_SECRET.
func JWTSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Environment is that of a child process: nothing of the user's configuration.
func Environment(extra ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir()}, extra...)
}
