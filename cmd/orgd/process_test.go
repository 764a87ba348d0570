package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything that should happen may take; on a machine that is
// busy with other tests.
const patience = 60 * time.Second

// A process is a running orgd.
type process struct {
	cmd  *exec.Cmd
	url  string
	done chan struct{} // closed when it has ended and all of its log was read
	err  error         // of Wait, once done is closed

	mu      sync.Mutex
	log     []string
	changed chan struct{} // closed, and replaced, with every line
}

// launch starts orgd serve on a free port and returns at once. Its environment is
// env and nothing else.
func launch(dir string, env ...string) (*process, error) {
	p := &process{cmd: exec.Command("orgd", "serve"), done: make(chan struct{}), changed: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append([]string{"LISTEN_ADDR=127.0.0.1:0", "BCRYPT_COST=4", "RATE_LIMIT_SIGNUP=0", "RATE_LIMIT_LOGIN=0", "RATE_LIMIT_MOVE=0"}, env...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		p.read(stderr)
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

func (p *process) read(stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		p.log = append(p.log, lines.Text())
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
	}
}

// text is the log so far.
func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log, "\n")
}

// await waits for a line of the log that holds the text, and returns it.
func (p *process) await(text string) (string, error) {
	timeout := time.After(patience)
	for seen := 0; ; {
		p.mu.Lock()
		lines, changed := p.log[seen:], p.changed
		p.mu.Unlock()
		for _, line := range lines {
			if strings.Contains(line, text) {
				return line, nil
			}
		}
		seen += len(lines)
		select {
		case <-changed:
		case <-p.done:
			if !strings.Contains(p.text(), text) {
				return "", fmt.Errorf("orgd ended (%v) and never said %q:\n%s", p.err, text, p.text())
			}
		case <-timeout:
			return "", fmt.Errorf("orgd does not say %q:\n%s", text, p.text())
		}
	}
}

var readyURL = regexp.MustCompile(` url=(\S+)`)

// ready waits until it serves.
func (p *process) ready() error {
	line, err := p.await(`msg="orgd is ready"`)
	if err != nil {
		return err
	}
	p.url = readyURL.FindStringSubmatch(line)[1]
	return nil
}

// signal sends a signal and waits for the end. It returns the exit code, -1 when
// the signal itself has ended it.
func (p *process) signal(s os.Signal) (int, error) {
	if err := p.cmd.Process.Signal(s); err != nil {
		return 0, err
	}
	return p.wait()
}

// wait waits for the end and returns the exit code.
func (p *process) wait() (int, error) {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(patience):
		_ = p.kill()
		return 0, errors.New("orgd does not end")
	}
}

// kill ends it as a power cut would.
func (p *process) kill() error {
	err := p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// serveOrgd starts an orgd for a test, which ends it, and waits until it is ready.
func serveOrgd(t testing.TB, env ...string) *process {
	t.Helper()
	p, err := launch(t.TempDir(), env...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.kill()
		// The server is built with the race detector, as the test is.
		if log := p.text(); strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic:") {
			t.Error(log)
		}
	})
	if err := p.ready(); err != nil {
		t.Fatal(err)
	}
	return p
}

// stop ends an orgd as a supervisor does, and wants it to end well.
func (p *process) stop(t testing.TB) {
	t.Helper()
	if code, err := p.signal(syscall.SIGTERM); err != nil || code != 0 {
		t.Fatalf("SIGTERM: exit code %d, %v\n%s", code, err, p.text())
	}
}

// post sends JSON and returns the status, which is 0 when no answer came.
func (p *process) post(client *http.Client, path, body string) (int, string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+path, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	req.Header.Set("Content-Type", "application/json")
	return do(client, req)
}

func (p *process) get(client *http.Client, path string) (int, string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	return do(client, req)
}

func do(client *http.Client, req *http.Request) (int, string) {
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, body.String()
}
