// Package wire is what listens, and what moves bytes between clients and handlers: the server,
// a bound on connections and on the heads of requests, and readers and writers that fail when
// a client is too slow. Bytes are moved in turns (internal/fair), which end while a client has
// to be waited for.
package wire

import (
	"log/slog"
	"net/http"
	"time"
)

// Bounds on what a connection may take. There is none on the time a whole
// request takes: a move of a large organization lasts, and net/http's
// ReadTimeout would end its context. The time for a body is BodyTimeout.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
)

// MaxHeaderBytes is how large the head of a request may be. The longest that the contract
// allows is that of a list: filter, sort and fields of 1024 characters, each of four bytes
// that are percent-encoded as twelve; a cursor of 16 KiB, and a token of 4. With their names
// this is 57 KiB (TestTheLongestHead adds it up); the rest is for the headers that browsers and
// proxies add.
const MaxHeaderBytes = 64 << 10

// NewServer returns a server for h, which has to serve a listener of c. What the server itself
// reports, such as broken connections, goes to the logger.
func NewServer(h http.Handler, logger *slog.Logger, c *Connections) *http.Server {
	return &http.Server{
		ConnState:         c.state,
		ConnContext:       withConnection,
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    MaxHeaderBytes, // and 4 KiB, of net/http: c refuses what is longer before, by a problem
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}
