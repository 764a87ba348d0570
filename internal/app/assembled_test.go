package app_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/app/apptest"
	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/contracttest"
	"github.com/orgd/orgd/internal/httpapi"
	"github.com/orgd/orgd/internal/tenant"
)

// assemble puts an orgd together from parts of the test's own: an engine, which it closes, and what
// the configurations say besides. around is what requests go through, or nil; faults are the
// statuses from 500 on that the test provokes.
func assemble(t *testing.T, of tenant.Config, api httpapi.Config, around func(http.Handler) http.Handler, faults ...int) (*world, *tenant.Store) {
	t.Helper()
	passwords, err := auth.NewPasswords(auth.PasswordsConfig{Cost: 4, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	of.Passwords = passwords
	store, err := tenant.Open(context.WithoutCancel(t.Context()), of)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := auth.NewTokens(auth.TokensConfig{Algorithm: "HS256", Secret: []byte(jwtSecret), TTL: time.Hour, Issuer: "orgd", Audience: "orgd"})
	if err != nil {
		t.Fatal(err)
	}
	api.Store, api.Tokens, api.Logger = store, tokens, slog.New(slog.DiscardHandler)
	a, err := httpapi.New(api)
	if err != nil {
		t.Fatal(err)
	}
	var handler http.Handler = a
	if around != nil {
		handler = around(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		if err := errors.Join(store.Close(context.Background()), of.Engine.Close()); err != nil {
			t.Error(err)
		}
		passwords.Close()
	})
	transport := contracttest.New(t, contracttest.Config{Expect: faults})
	return &world{t: t, http: &http.Client{Transport: transport}, journal: &journal{}, Server: &apptest.Server{URL: server.URL}}, store
}
