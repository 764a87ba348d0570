package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/orgd/orgd"
	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/httpapi"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/tenant"
	"github.com/orgd/orgd/internal/webui"
	"github.com/orgd/orgd/internal/worker"
)

// issuer is the issuer and the audience of tokens.
const issuer = "orgd"

// openTimeout bounds what a start does before it can serve: reaching the
// storage and finishing what a crash interrupted.
const openTimeout = 5 * time.Minute

// App is a whole orgd: storage, store and HTTP. Open it, Serve, Close.
type App struct {
	cfg       Config
	log       *slog.Logger
	engine    docdb.Engine
	passwords *auth.Passwords
	store     *tenant.Store
	api       *httpapi.API
	phases    phases // of Open
}

// Open opens the storage, finishes what a crash interrupted, and builds the
// rest. An error is one line that says what to do.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (_ *App, err error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	a := &App{cfg: cfg, log: log, phases: phases{log: log}}
	defer func() {
		a.phases.end()
		if err != nil {
			a.release()
		}
	}()
	a.phases.begin("waiting for the storage: " + cfg.storage())
	if a.engine, err = openEngine(ctx, cfg, log); err != nil {
		return nil, err
	}
	workers := auth.RaiseMaxProcs()
	if a.passwords, err = auth.NewPasswords(auth.PasswordsConfig{Cost: cfg.BcryptCost, Workers: workers}); err != nil {
		return nil, err
	}
	if a.store, err = openStore(ctx, a); err != nil {
		return nil, err
	}
	a.api, err = newAPI(a)
	return a, err
}

func openStore(ctx context.Context, a *App) (*tenant.Store, error) {
	cfg := storeConfig(a)
	cfg.Phase = a.phases.begin
	return tenant.Open(ctx, cfg)
}

func storeConfig(a *App) tenant.Config {
	return tenant.Config{
		Engine: a.engine, MasterDB: a.cfg.MasterDBName, TenantDB: a.cfg.TenantDBName,
		Passwords: a.passwords, Logger: a.log, Exclusive: a.cfg.Embedded(),
		MaxOrganizations: int64(a.cfg.MaxOrganizations), MaxMoves: a.cfg.MaxMoves,
		MaxKeys:   int64(a.cfg.MaxIdempotencyKeys),
		MoveGrace: a.cfg.MoveGrace, DeleteGrace: a.cfg.DeleteGrace,
	}
}

func newAPI(a *App) (*httpapi.API, error) {
	secret := []byte(a.cfg.JWTSecret.Reveal())
	if len(secret) == 0 {
		var err error
		if secret, err = auth.LoadOrCreateSecret(a.cfg.DataDir, a.log); err != nil {
			return nil, fmt.Errorf("DATA_DIR %s: %w", quote(a.cfg.DataDir), err)
		}
	}
	tokens, err := auth.NewTokens(auth.TokensConfig{
		Algorithm: a.cfg.JWTAlgorithm, Secret: secret, TTL: a.cfg.TokenTTL(), Issuer: issuer, Audience: issuer,
	})
	if err != nil {
		return nil, err
	}
	pages, err := webui.Pages(orgd.OpenAPI)
	if err != nil {
		return nil, err
	}
	return httpapi.New(httpapi.Config{
		Store: a.store, Tokens: tokens, Logger: a.log, Pages: pages,
		SignupsPerMinute: a.cfg.RateLimitSignup, AllSignupsPerMinute: a.cfg.RateLimitSignupTotal,
		LookupsPerMinute: a.cfg.RateLimitLookup, MovesPerMinute: a.cfg.RateLimitMove, LoginsPerMinute: a.cfg.RateLimitLogin,
		TrustedProxies: a.cfg.TrustedProxies, OperatorKey: a.cfg.OperatorKey.Reveal(),
		QueryTimeout: a.cfg.QueryTimeout, CursorSecret: secret, FingerprintSecret: secret,
		RequestsPerMinute: a.cfg.RateLimitOrganization, Budget: memory.NewBudget(a.cfg.MemoryBudget << 20),
	})
}

// Handler returns the whole HTTP surface.
func (a *App) Handler() http.Handler { return a.api }

// Serve answers on the listener until ctx ends. Then it stops being ready, lets
// the requests in progress end, for as long as Config.ShutdownTimeout, and
// returns nil; or what went wrong. Call Close after it.
func (a *App) Serve(ctx context.Context, l net.Listener) error {
	return a.serve(ctx, newFront(a.cfg, a.log, l, a.api))
}

func (a *App) serve(ctx context.Context, f *front) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		worker.Run(work, a.log, Jobs(a.store)...)
	}()
	defer func() { stop(); <-done }()

	f.open(a.api)
	a.log.Info("orgd is ready", "url", "http://"+f.addr.String(), "docs", "http://"+f.addr.String()+"/docs",
		"storage", a.cfg.storage(), "version", Version())
	select {
	case err := <-f.failed:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-a.storageFailed():
		return errors.Join(errors.New("the storage has failed, see the log: restart orgd once the disk is well"), f.close())
	case <-ctx.Done():
		return a.drain(ctx, f)
	}
}

// storageFailed is closed when the storage can only be mended by a new start.
func (a *App) storageFailed() <-chan struct{} {
	if e, ok := a.engine.(interface{ Failed() <-chan struct{} }); ok {
		return e.Failed()
	}
	return nil
}

// drain lets the requests in progress end.
func (a *App) drain(ctx context.Context, f *front) error {
	a.log.Info("stopping: letting requests end", "at_most", a.cfg.ShutdownTimeout)
	a.api.Drain()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.ShutdownTimeout)
	defer cancel()
	err := f.server.Shutdown(ctx)
	if err = errors.Join(err, a.store.Close(ctx)); err != nil {
		a.log.Warn("some requests were cut off; their operations go on at the next start", "error", err)
		return f.server.Close()
	}
	return nil
}

// Close releases the storage. It stops everything that Serve has not stopped.
func (a *App) Close() error {
	err := a.release()
	a.log.Info("stopped")
	return err
}

// release closes what was opened, in the reverse order.
func (a *App) release() error {
	if a.store != nil {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = a.store.Close(ended) // nothing is left to wait for
	}
	if a.passwords != nil {
		a.passwords.Close()
	}
	if a.engine != nil {
		return a.engine.Close()
	}
	return nil
}
