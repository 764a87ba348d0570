package httpapi

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant"
)

// pinged is an engine that is asked by a context whether it is there.
type pinged struct {
	docdb.Engine
	ping func(context.Context) error
}

func (p pinged) Ping(ctx context.Context) error { return p.ping(ctx) }

func TestHealth(t *testing.T) {
	var fail error
	s := serve(t, openBackend(t, func(c *tenant.Config) {
		c.Engine = pinged{c.Engine, func(ctx context.Context) error {
			if until, ok := ctx.Deadline(); !ok || time.Until(until) > 2*time.Second {
				t.Errorf("the storage has until %v", until)
			}
			return fail
		}}
	}))
	ok := `{"status":"ok"}` + "\n"
	expect := func(path string, status int, part string) {
		t.Helper()
		if got := s.do("GET", path, ""); got.status != status || !strings.Contains(got.body, part) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	expect("/livez", 200, ok)
	expect("/readyz", 200, ok)
	fail = errors.New("connection refused by 10.0.0.7")
	expect("/livez", 200, ok)
	expect("/readyz", 503, `"detail":"The storage cannot be read at the moment."`)
	fail = nil
	expect("/readyz", 200, ok)
	s.api.Drain()
	expect("/livez", 200, ok)
	expect("/readyz", 503, `"detail":"This server is shutting down."`)
	if got := s.do("GET", "/org/get?organization_name=Acme", ""); got.status != 200 {
		t.Errorf("while draining: %d", got.status)
	}
}
