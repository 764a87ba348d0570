// Package bare serves with Echo and nothing else: the yardstick of what orgd adds.
package bare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// Echo is the helper that answers GET /org/get with BODY, its argument.
func Echo(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: bare-echo BODY")
	}
	body := []byte(args[0])
	e := echo.New()
	e.GET("/org/get", func(c echo.Context) error { return c.Blob(http.StatusOK, "application/json", body) })
	return Serve(ctx, e, stdout)
}

// Serve serves until the context ends, and writes the address.
func Serve(ctx context.Context, e *echo.Echo, stdout io.Writer) error {
	e.HideBanner, e.HidePort = true, true
	e.GET("/readyz", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "url=http://%s\n", l.Addr())
	// With time limits as orgd has them: they are set anew for each request.
	server := &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
