package orgd_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"github.com/orgd/orgd/internal/app"
)

// serverURL is where the examples' orgd serves. Tests start their own.
var serverURL string

func TestMain(m *testing.M) {
	code, err := withServer(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// withServer runs while an orgd serves at serverURL.
func withServer(run func() int) (code int, err error) {
	dir, err := os.MkdirTemp("", "orgd-examples-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cfg, err := app.Load([]string{"DATA_DIR=" + dir, "BCRYPT_COST=4", "RATE_LIMIT_SIGNUP=0", "RATE_LIMIT_LOGIN=0", "OPERATOR_KEY=" + operatorKey}, "")
	if err != nil {
		return 0, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	serverURL = "http://" + l.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	a, err := app.Open(ctx, cfg, app.NewLogger(cfg, io.Discard))
	if err != nil {
		stop()
		return 0, err
	}
	served := make(chan error, 1)
	go func() { served <- a.Serve(ctx, l) }()
	code = run()
	stop()
	if err := <-served; err != nil {
		return code, err
	}
	return code, a.Close()
}
