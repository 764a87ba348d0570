// Package apptest starts a whole orgd for tests: the real engine in a directory
// of the test's own, real HTTP on a free port of the loopback interface.
package apptest

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"

	"github.com/orgd/orgd/internal/app"
)

// A Server is an orgd that serves until the test ends.
type Server struct {
	// URL is its base URL, without a slash at the end.
	URL string
	// Config is what it runs with.
	Config app.Config
	log    *safeBuffer
	stop   func() error
}

// Start starts a server with the defaults of a user, but for a cheap bcrypt cost
// and no rate limits. Each extra is a variable, such as "BCRYPT_COST=12".
func Start(t testing.TB, extra ...string) *Server {
	t.Helper()
	env := append([]string{"DATA_DIR=" + t.TempDir(), "BCRYPT_COST=4", "RATE_LIMIT_SIGNUP=0", "RATE_LIMIT_LOGIN=0",
		"RATE_LIMIT_LOOKUP=0", "RATE_LIMIT_MOVE=0",
		"LOG_LEVEL=debug"}, extra...)
	cfg, err := app.Load(env, "")
	if err != nil {
		t.Fatal(err)
	}
	return StartWith(t, cfg)
}

// StartWith starts a server with a configuration. A second one on the directory
// of one that has stopped finds its data.
func StartWith(t testing.TB, cfg app.Config) *Server {
	t.Helper()
	s := &Server{Config: cfg, log: &safeBuffer{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	a, err := app.Open(ctx, cfg, app.NewLogger(cfg, s.log))
	if err != nil {
		cancel()
		_ = l.Close()
		t.Fatal(err)
	}
	s.URL = "http://" + l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- a.Serve(ctx, l) }()
	s.stop = sync.OnceValue(func() error {
		cancel()
		err := <-served
		if closeErr := a.Close(); err == nil {
			err = closeErr
		}
		return err
	})
	t.Cleanup(func() { s.Stop(t) })
	return s
}

// Stop stops the server as SIGTERM does, and waits for it.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.stop(); err != nil {
		t.Errorf("stop the server: %v", err)
	}
}

// Log returns what the server has logged so far.
func (s *Server) Log() string { return s.log.String() }

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns all that was written.
func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
