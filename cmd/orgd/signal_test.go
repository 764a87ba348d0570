package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	acme  = `{"organization_name":"Acme","email":"admin@acme.example","password":"correct horse battery"}`
	login = `{"email":"admin@acme.example","password":"correct horse battery"}`
)

// A slowRequest is one whose body is not all there yet. The server is known to be
// at work on it: it has asked for the body.
type slowRequest struct {
	conn net.Conn
	in   *bufio.Reader
	rest string
}

// beginCreate begins to create an organization.
func beginCreate(t *testing.T, p *process, body string) *slowRequest {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	half := len(body) / 2
	_, err = fmt.Fprintf(conn, "POST /org/create HTTP/1.1\r\nHost: orgd\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(body))
	r := &slowRequest{conn: conn, in: bufio.NewReader(conn), rest: body[half:]}
	line := ""
	if err == nil {
		line, err = r.in.ReadString('\n')
	}
	if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("the server says %q, %v", line, err)
	}
	if _, err := r.in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, body[:half]); err != nil {
		t.Fatal(err)
	}
	return r
}

// finish sends the rest and returns the status.
func (r *slowRequest) finish() (int, error) {
	if _, err := io.WriteString(r.conn, r.rest); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(r.in, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// A request that is being answered gets its answer, and what it did is there at the
// next start; requests that come later are turned away.
func TestASignalLetsRequestsEnd(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := serveOrgd(t, "DATA_DIR="+dir)
			request := beginCreate(t, p, acme)
			if err := p.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if _, err := p.await("stopping: letting requests end"); err != nil {
				t.Fatal(err)
			}
			if status, err := request.finish(); status != http.StatusCreated || err != nil {
				t.Errorf("the request in progress is answered with %d, %v", status, err)
			}
			if code, err := p.wait(); code != 0 || err != nil {
				t.Errorf("exit code %d, %v", code, err)
			}
			_, log, _ := strings.Cut(p.text(), "stopping: letting requests end")
			if !strings.Contains(log, "msg=stopped") || strings.Contains(log, "level=WARN") || strings.Contains(log, "level=ERROR") {
				t.Errorf("the log of an orderly end is\n%s", log)
			}

			again := serveOrgd(t, "DATA_DIR="+dir)
			if status, body := again.post(http.DefaultClient, "/admin/login", login); status != 200 {
				t.Errorf("after the next start a login is answered with %d: %s", status, body)
			}
			again.stop(t)
		})
	}
}

// A client that never ends its request does not keep orgd from stopping.
func TestASignalWaitsNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	p := serveOrgd(t, "SHUTDOWN_TIMEOUT=1s")
	beginCreate(t, p, acme)
	p.stop(t)
	if log := p.text(); !strings.Contains(log, "some requests were cut off") {
		t.Errorf("the log does not say that requests were cut off:\n%s", log)
	}
}

// A user that presses ^C twice does not want to wait.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := serveOrgd(t, "SHUTDOWN_TIMEOUT=10m")
	beginCreate(t, p, acme)
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if _, err := p.await("stopping: letting requests end"); err != nil {
		t.Fatal(err)
	}
	if code, err := p.signal(syscall.SIGINT); code != -1 || err != nil {
		t.Errorf("exit code %d, %v, want an end by the signal", code, err)
	}
}

// What a start makes is for its user only, and a token survives a restart.
func TestASecondStartFindsEverything(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "by", "orgd")
	p := serveOrgd(t, "DATA_DIR="+dir)
	if status, body := p.post(http.DefaultClient, "/org/create", acme); status != 201 {
		t.Fatal(status, body)
	}
	_, token := p.post(http.DefaultClient, "/admin/login", login)
	token, _, _ = strings.Cut(strings.TrimPrefix(token[strings.Index(token, `"access_token":"`):], `"access_token":"`), `"`)
	p.stop(t)
	for _, name := range []string{"", "db", "jwt.secret"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%q is open to others: %v, %v", name, info.Mode(), err)
		}
	}
	again := serveOrgd(t, "DATA_DIR="+dir)
	req, err := http.NewRequest(http.MethodGet, again.url+"/org/get?organization_name=ACME", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if status, body := do(http.DefaultClient, req); status != 200 || !strings.Contains(body, `"admin_id"`) {
		t.Errorf("with the token of before the organization is %d %s", status, body)
	}
	again.stop(t)
}

// What is allowed and hardly meant is said in the log.
func TestAWeakConfigurationIsWarnedOf(t *testing.T) {
	t.Parallel()
	p := serveOrgd(t, "TRUSTED_PROXIES=0.0.0.0/0", "JWT_ALGORITHM=HS512", "JWT_SECRET=q0Z8mFvT3rYx6LkS1nWb9PdJ4hGc7AeU2iXo5Rt")
	for _, text := range []string{"BCRYPT_COST is 4", "TRUSTED_PROXIES holds 0.0.0.0/0", "JWT_SECRET has 39 bytes"} {
		if line, err := p.await(text); err != nil || !strings.Contains(line, "level=WARN") {
			t.Errorf("%v: %s", err, line)
		}
	}
	p.stop(t)
}
