package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"syscall"

	"github.com/orgd/orgd/internal/garbage"
)

// Run runs orgd until ctx ends. The log goes to w. It answers while it starts, and says
// that it does; a start that ctx ends is no error.
func Run(ctx context.Context, cfg Config, w io.Writer) (err error) {
	defer garbage.Tune()()
	log := NewLogger(cfg, w)
	l, err := listen(ctx, cfg.ListenAddr)
	if err != nil {
		return err
	}
	f := newFront(cfg, log, l, starting(cfg, log))
	a, err := Open(ctx, cfg, log)
	if err != nil {
		err = errors.Join(err, f.close())
		if ctx.Err() == nil {
			return err
		}
		log.Info("stopped while it started", "at", err)
		return nil
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	for _, warning := range cfg.Warnings() {
		log.Warn(warning)
	}
	return a.serve(ctx, f)
}

// listen takes the address before anything is opened, so that a busy port
// leaves no trace.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("LISTEN_ADDR %s is in use: stop what listens there, or choose another, such as LISTEN_ADDR=127.0.0.1:8001", addr)
	case err != nil:
		return nil, fmt.Errorf("LISTEN_ADDR %s: %w; allowed: an address of this machine and a port that orgd may take", addr, err)
	}
	return l, nil
}

// NewLogger returns a logger as the configuration asks for.
func NewLogger(cfg Config, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// Version returns the version that was built: a tag or a commit where Go knows
// of one.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" {
		v = "(devel)"
	}
	return v + " " + info.GoVersion
}
