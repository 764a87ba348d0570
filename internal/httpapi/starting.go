package httpapi

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/httpapi/jsondoc"
	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/policy"
)

// Starting is the handler while orgd starts, before there is a Store: the process is alive and
// can do nothing else yet. So supervisors that ask /livez let it be, load balancers that ask
// /readyz send requests elsewhere, and clients are told to try again. Of the configuration
// Logger, TrustedProxies and OperatorKey count.
func Starting(c Config) http.Handler {
	c.Now = time.Now
	e := newEcho(newFrame(c, nil), c.TrustedProxies)
	e.Use(func(echo.HandlerFunc) echo.HandlerFunc { return whileStarting })
	return e
}

func whileStarting(ec echo.Context) error {
	r := ec.Request()
	switch r.URL.Path {
	case "/livez":
		request.Of(r.Context()).Endpoint = &contract.Endpoint{Operation: policy.Operation{Policy: policy.Policy{Probe: true}}}
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return jsondoc.Write(ec.Response(), http.StatusOK, []byte(`{"status":"ok"}`))
		}
	case "/readyz":
		request.Of(r.Context()).Endpoint = &contract.Endpoint{Operation: policy.Operation{Policy: policy.Policy{Probe: true}}}
	}
	return errStarting
}

var errStarting = org.Errorf(org.Unavailable, "orgd is starting. Try again in a moment.")
