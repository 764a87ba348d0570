package httpapi

import (
	"log/slog"
	"net/http"
	"time"
)

// Bounds on what a connection may take. There is none on the time a whole
// request takes: a move of a large organization lasts, and net/http's
// ReadTimeout would end its context. The time for a body is bodyTimeout.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 640 << 10 // all parameters of a list, longer than may be, in percent-encoding; more is 431 of net/http
)

// NewServer returns a server for h, to be given a listener of c's. Its own complaints,
// of broken connections and the like, go to the logger.
func NewServer(h http.Handler, logger *slog.Logger, c *Connections) *http.Server {
	return &http.Server{
		ConnState:         c.state,
		ConnContext:       withConnection,
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}
