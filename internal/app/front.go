package app

import (
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/orgd/orgd/internal/httpapi"
	"github.com/orgd/orgd/internal/httpapi/wire"
)

// A front serves HTTP on a listener. Until open is called it answers that orgd is starting.
type front struct {
	server *http.Server
	addr   net.Addr
	behind atomic.Pointer[http.Handler]
	failed chan error // why the front does not serve any more
}

// newFront begins to serve, with h behind it. Close it, or shut its server down.
func newFront(cfg Config, log *slog.Logger, l net.Listener, h http.Handler) *front {
	f := &front{addr: l.Addr(), failed: make(chan error, 1)}
	f.open(h)
	c := cfg.connections()
	f.server = wire.NewServer(f, log, c)
	go func() { f.failed <- f.server.Serve(c.Listen(l)) }()
	return f
}

// starting answers that orgd is starting.
func starting(cfg Config, log *slog.Logger) http.Handler {
	return httpapi.Starting(httpapi.Config{
		Logger: log, TrustedProxies: cfg.TrustedProxies, OperatorKey: cfg.OperatorKey.Reveal(),
	})
}

// open has h answer the requests from now on, also those on earlier connections.
func (f *front) open(h http.Handler) { f.behind.Store(&h) }

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*f.behind.Load()).ServeHTTP(w, r) }

// close ends all connections at once, and waits for the listener to be released.
func (f *front) close() error {
	err := f.server.Close()
	<-f.failed
	return err
}
