package httpapi

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
)

// discard is a ResponseWriter that costs next to nothing.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkGet compares GET /org/get, all middleware included, with an echo
// that returns the same bytes. The storage is in memory.
func BenchmarkGet(b *testing.B) {
	serve := func(b *testing.B, h http.Handler, headers ...string) {
		b.ReportAllocs()
		r := httptest.NewRequest(http.MethodGet, "/org/get?organization_name=Acme", nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		for b.Loop() {
			h.ServeHTTP(&discard{h: http.Header{}}, r)
		}
	}
	tokens := testTokens(b)
	s := start(b)
	s.store.faulty.FailOn(nil) // nothing is written down
	api, err := New(Config{Store: s.store.Store, Tokens: tokens, Logger: slog.New(slog.NewJSONHandler(io.Discard, nil))})
	if err != nil {
		b.Fatal(err)
	}
	quiet, err := New(Config{Store: s.store.Store, Tokens: tokens, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	bare := bareEcho()
	b.Run("bare echo", func(b *testing.B) { serve(b, bare) })
	b.Run("orgd", func(b *testing.B) { serve(b, api) })
	b.Run("orgd without access log", func(b *testing.B) { serve(b, quiet) })
	b.Run("orgd with a token", func(b *testing.B) { serve(b, api, "Authorization", "Bearer "+s.token) })
}

const summary = `{"collection_name":"org_acme","created_at":"2026-11-23T12:00:00.123Z","id":"019aaf2e-53c4-7d51-a2a7-0f0d1e9b3c55","organization_name":"Acme","state":"active"}` + "\n"

func bareEcho() *echo.Echo {
	e := echo.New()
	e.GET("/org/get", func(c echo.Context) error {
		return c.Blob(http.StatusOK, "application/json", []byte(summary))
	})
	return e
}
