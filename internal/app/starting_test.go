package app_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/app"
	"github.com/orgd/orgd/internal/contracttest"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// A held is a way to a server that lets no connection through until it is opened: what an
// election, a slow disk or a firewall looks like from here.
type held struct {
	net.Listener
	target string
	opened chan struct{}
	open   func()
	conns  sync.WaitGroup
}

func hold(t *testing.T, target string) *held {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &held{Listener: l, target: target, opened: make(chan struct{})}
	h.open = sync.OnceFunc(func() { close(h.opened) })
	h.conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			h.conns.Go(func() { h.pass(t.Context(), conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		h.conns.Wait()
	})
	return h
}

func (h *held) pass(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	select {
	case <-h.opened:
	case <-ctx.Done():
		return
	}
	server, err := net.Dial("tcp", h.target)
	if err != nil {
		return
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() { _, _ = conn.Close(), server.Close() })
	defer stop()
	go func() { _, _ = io.Copy(server, conn); _ = server.Close() }()
	_, _ = io.Copy(conn, server)
}

// A run is an app.Run on its way.
type run struct {
	t    *testing.T
	url  string
	log  *syncBuffer
	stop context.CancelFunc
	done chan error
	http *http.Client
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// begin runs orgd on a MongoDB behind a held way.
func begin(t *testing.T) (*run, *held) {
	t.Helper()
	u, err := url.Parse(mongotest.URI(t))
	if err != nil {
		t.Fatal(err)
	}
	h := hold(t, u.Host)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	_ = free.Close()
	u.Host = h.Addr().String()
	cfg, err := app.Load([]string{"MONGO_URI=" + u.String(), "MASTER_DB_NAME=" + mongotest.Database(t), "TENANT_DB_NAME=" + mongotest.Database(t),
		"JWT_SECRET=" + jwtSecret, "LISTEN_ADDR=" + addr, "BCRYPT_COST=4"}, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &run{t: t, url: "http://" + addr, log: &syncBuffer{}, stop: stop, done: make(chan error, 1),
		http: &http.Client{Transport: contracttest.New(t, contracttest.Config{Expect: []int{http.StatusServiceUnavailable}})}}
	go func() { r.done <- app.Run(ctx, cfg, r.log) }()
	t.Cleanup(stop)
	r.until("it listens", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return r, h
}

func (r *run) until(what string, f func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("it does not come to it that %s:\n%s", what, r.log)
		}
	}
}

func (r *run) do(method, path, body string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return newAnswer(r.t, resp, text)
}

// end stops it as SIGTERM does.
func (r *run) end() {
	r.t.Helper()
	r.stop()
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Errorf("it ends with %v", err)
		}
	case <-time.After(30 * time.Second):
		r.t.Fatalf("it does not end:\n%s", r.log)
	}
}

func TestWhileItStartsItIsAliveAndNotReady(t *testing.T) {
	t.Parallel()
	r, h := begin(t)
	if got := r.do("GET", "/livez", "").is(200); got.body != `{"status":"ok"}`+"\n" {
		t.Errorf("/livez answers %s", got.body)
	}
	for _, a := range []answer{
		r.do("GET", "/readyz", ""), r.do("GET", getPath("Acme"), ""), r.do("POST", "/org/create", object("organization_name", "Acme", "email", newEmail(), "password", password)),
		r.do("GET", "/docs", ""), r.do("GET", "/org/documents/ada", ""), r.do("POST", "/livez", ""), r.do("GET", "/nowhere", ""),
	} {
		a.is(503, "unavailable")
		if a.header.Get("Retry-After") == "" || !strings.Contains(a.text("detail"), "starting") || a.header.Get("X-Request-Id") != a.text("request_id") {
			t.Errorf("it is told %v %s", a.header, a.body)
		}
	}
	r.until("the log says what it waits for", func() bool {
		return strings.Contains(r.log.String(), `msg="still starting: waiting for the storage: MongoDB at `+h.Addr().String()+`"`)
	})
	h.open()
	r.until("it is ready", func() bool { return r.do("GET", "/readyz", "").status == 200 })
	r.do("GET", getPath("Acme"), "").is(404, "not_found")
	r.end()
}

func TestASignalEndsAStart(t *testing.T) {
	t.Parallel()
	r, _ := begin(t)
	r.do("GET", "/livez", "").is(200)
	began := time.Now()
	r.end()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("that took %s", took)
	}
	if log := r.log.String(); !strings.Contains(log, "stopped while it started") || strings.Contains(log, "ready") {
		t.Errorf("the log is\n%s", log)
	}
	l, err := net.Listen("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal("the address is not free again: ", err)
	}
	_ = l.Close()
}

func TestAStartThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	r, _ := begin(t) // and the way stays closed
	select {
	case err := <-r.done:
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "no answer from MongoDB at") {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("it does not end:\n%s", r.log)
	}
}
