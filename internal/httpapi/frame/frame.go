// Package frame is around every request: it gives the request an id and its state, the answer
// the headers that all answers have, and the log a line. Panics become errors here, and errors
// answers.
package frame

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/httpapi/request"
)

// Config is what a Frame is made of.
type Config struct {
	request.Shared
	Logger *slog.Logger
	Now    func() time.Time // the clock of the access log
	// NoOperator: there is no operator plane, and nothing at its paths.
	NoOperator bool
	// Allows are the contract's: see contract.Contract.
	Allows map[string]string
}

// A Frame is the middleware around every request.
type Frame struct{ Config }

// New makes a Frame.
func New(c Config) *Frame { return &Frame{c} }

// Around is around every request, those that no route takes included. It gives the request an
// id, sets the headers that every answer has, turns a panic into an error and an error into an
// answer, and at last logs one line, which is why errors are rendered here: the line tells the
// status.
func (f *Frame) Around(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ec echo.Context) error {
		start := f.Now()
		s := identify(ec)
		defer f.logLine(ec, s, start) // even when a panic cuts the answer off
		ec.Response().Writer = s.Begin(ec.Request(), ec.Response().Writer, &f.Shared)
		defer s.End()
		setSecurityHeaders(ec)
		f.hurryBody(ec, s)
		f.nameAll(ec)
		if elsewhere(ec) || f.noOperator(ec) {
			next = echo.NotFoundHandler
		}
		if err := recovered(next, ec); err != nil {
			f.RenderError(err, ec)
		}
		return nil
	}
}

// hurryBody sets the deadline for the body, whether or not the endpoint reads it: net/http
// itself waits for the rest of the body before it answers. The guard moves the deadline on, and
// lifts it. (A writer without deadlines is a test's.)
func (f *Frame) hurryBody(ec echo.Context, s *request.State) {
	if ec.Request().ContentLength != 0 {
		s.RenewDeadline()
		_ = http.NewResponseController(ec.Response().Writer).SetReadDeadline(time.Now().Add(f.Timeouts.Body))
	}
}

// nameAll has Allow name all methods of the path, where an answer has it.
func (f *Frame) nameAll(ec echo.Context) {
	allow, ok := f.Allows[ec.Request().URL.Path]
	if !ok {
		return
	}
	ec.Response().Before(func() {
		if h := ec.Response().Header(); h.Get("Allow") != "" {
			h.Set("Allow", allow)
		}
	})
}

const operatorPlane = "/operator/"

// noOperator reports whether the request is for an operator plane that there is not.
func (f *Frame) noOperator(ec echo.Context) bool {
	return f.NoOperator && strings.HasPrefix(ec.Request().URL.Path, operatorPlane)
}

// elsewhere reports whether echo matched a path with the wrong route: to echo, the parameter at
// the end of a route may be empty, or all the rest of a path, slashes included.
func elsewhere(ec echo.Context) bool {
	return ec.Path() != "" && strings.Contains(ec.Path(), ":") &&
		(strings.Count(echo.GetPath(ec.Request()), "/") != strings.Count(ec.Path(), "/") || slices.Contains(ec.ParamValues(), ""))
}

// A panicError is what a handler panicked with.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprint(e.value) }

// recovered calls the handler and turns a panic into an error, which the client
// sees as any other fault. http.ErrAbortHandler is how a handler asks to cut
// the answer off.
func recovered(handler echo.HandlerFunc, ec echo.Context) (err error) {
	defer func() {
		switch v := recover(); {
		case v == nil:
		case isAbort(v):
			panic(v)
		default:
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return handler(ec)
}

func isAbort(v any) bool {
	err, ok := v.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}
