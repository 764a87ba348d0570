package httpapi

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/docdb/embedded"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// What the storage is asked to authenticate a request, or a login that is not an address's first, where a
// process is alone.
const authentication = "Get organizations, Get admins"

// The first organization's admin.
const (
	email    = "admin@acme.example"
	password = "correct horse battery"
)

// plainPasswords stand in for bcrypt. An error of verifying's, if there is such a function, is
// the answer of a check.
type plainPasswords struct {
	verifying func(context.Context) error
}

func (plainPasswords) Hash(_ context.Context, p string) (string, error) { return "plain:" + p, nil }

func (p plainPasswords) Verify(ctx context.Context, hash, password string) (bool, error) {
	if p.verifying != nil {
		if err := p.verifying(ctx); err != nil {
			return false, err
		}
	}
	return hash == "plain:"+password, nil
}

// A backend is a tenant store with one organization, Acme. What it asks of its storage is
// written down, and can be made to fail.
type backend struct {
	*tenant.Store
	clock // the store's
	t     testing.TB
	log   *logBook // the store's, and that of the servers before it
	// engine is the storage beneath faulty: what a test asks of it is not written down.
	engine docdb.Engine
	faulty *faulty.Engine
	acme   org.Organization

	mu    sync.Mutex
	calls []string
}

// openBackend opens a store on an engine in memory, unless the configuration is edited.
func openBackend(t testing.TB, edits ...func(*tenant.Config)) *backend {
	t.Helper()
	b := &backend{t: t, log: &logBook{}}
	c := tenant.Config{
		Engine: model.New(), MasterDB: "master_db", TenantDB: "tenant_db", Passwords: plainPasswords{}, Exclusive: true,
		Logger: b.log.logger(), Now: b.now,
	}
	for _, edit := range edits {
		edit(&c)
	}
	b.engine, b.faulty = c.Engine, faulty.New(c.Engine)
	b.faulty.FailOn(b.record)
	c.Engine = b.faulty
	store, err := tenant.Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.faulty.On(nil)
		_ = store.Close(context.Background())
		_ = b.engine.Close()
	})
	b.Store = store
	b.acme = b.create("Acme", email)
	b.asked()
	return b
}

// onDisk has the engine that orgd comes with, for data that is large.
func onDisk(t testing.TB) func(*tenant.Config) {
	t.Helper()
	engine, err := embedded.Open(embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return func(c *tenant.Config) { c.Engine = engine }
}

func (b *backend) record(c faulty.Call) (faulty.Mode, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, c.Op+" "+c.Collection)
	return faulty.Before, false
}

// asked returns, and forgets, what the storage was asked so far.
func (b *backend) asked() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := strings.Join(b.calls, ", ")
	b.calls = nil
	return all
}

// create makes an organization whose admin has the one password.
func (b *backend) create(name, email string) org.Organization {
	b.t.Helper()
	o, err := b.Create(context.Background(), tenant.CreateInput{Name: name, Email: email, Password: password})
	if err != nil {
		b.t.Fatalf("create %q: %v", name, err)
	}
	return o
}

// principal is what a token of that admin says.
func (b *backend) principal(email, password string) org.Principal {
	b.t.Helper()
	p, err := b.Login(context.Background(), email, password)
	if err != nil {
		b.t.Fatalf("log in %s: %v", email, err)
	}
	return p
}

// stored is an organization as it is now.
func (b *backend) stored(id string) org.Organization {
	b.t.Helper()
	o, err := b.Organization(context.Background(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return o
}

// must ends the test if what was done to an organization has failed.
func (b *backend) must(_ org.Organization, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// answers has calls of a method on a collection answered with an error; nil ends that.
func (b *backend) answers(op, collection string, err error) {
	b.faulty.On(func(c faulty.Call) error {
		if c.Op == op && strings.HasPrefix(c.Collection, collection) {
			return err
		}
		return nil
	})
}

// hold has the collections of organizations neither made nor dropped before release is called.
func (b *backend) hold() (release func()) {
	held := make(chan struct{})
	release = sync.OnceFunc(func() { close(held) })
	b.t.Cleanup(release)
	b.faulty.On(func(c faulty.Call) error {
		if c.Database == "tenant_db" && (c.Op == "Create" || c.Op == "Drop") {
			<-held
		}
		return nil
	})
	return release
}
