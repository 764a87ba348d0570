package httpapi

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/httpapi/wire"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/policy"
)

// Starting is what answers while orgd starts, before there is a Store: the process is
// alive, and nothing else can be had of it yet. So supervisors that ask /livez let it be,
// load balancers that ask /readyz send requests elsewhere, and clients are told to come
// back. Of the configuration Logger, TrustedProxies and OperatorKey count.
func Starting(c Config) http.Handler {
	c.Now = time.Now
	a := &API{Config: c, bodyTimeout: wire.BodyTimeout, streamTimeout: wire.StreamTimeout}
	a.echo = a.newEcho()
	a.echo.Use(func(echo.HandlerFunc) echo.HandlerFunc { return whileStarting })
	return a
}

func whileStarting(ec echo.Context) error {
	r := ec.Request()
	switch r.URL.Path {
	case "/livez":
		callOf(ec).op = &operation{Operation: policy.Operation{Policy: policy.Policy{Probe: true}}}
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return writeJSON(ec.Response(), http.StatusOK, []byte(`{"status":"ok"}`))
		}
	case "/readyz":
		callOf(ec).op = &operation{Operation: policy.Operation{Policy: policy.Policy{Probe: true}}}
	}
	return errStarting
}

var errStarting = org.Errorf(org.Unavailable, "orgd is starting. Try again in a moment.")
