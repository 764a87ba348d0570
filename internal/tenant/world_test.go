package tenant_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/crypto/bcrypt"

	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

const password = "correct horse battery"

// passwords are shared: a hasher has threads of its own.
var passwords *auth.Passwords

func TestMain(m *testing.M) {
	var err error
	if passwords, err = auth.NewPasswords(auth.PasswordsConfig{Cost: bcrypt.MinCost}); err != nil {
		panic(err)
	}
	mongotest.Main(m)
}

// A world is a store on an engine, with what tests do over and over.
type world struct {
	*tenant.Store
	t      *testing.T
	engine docdb.Engine
	clock  time.Time
	slow   bool // the engine is: do less
}

// plainPasswords stand in for bcrypt where a test logs in thousands of times and
// is not about passwords.
type plainPasswords struct{}

func (plainPasswords) Hash(_ context.Context, p string) (string, error) { return "plain:" + p, nil }
func (plainPasswords) Verify(_ context.Context, h, p string) (bool, error) {
	return h == "plain:"+p, nil
}

func newWorld(t *testing.T, e docdb.Engine, edits ...func(*tenant.Config)) *world {
	w := &world{t: t, engine: e, clock: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	w.Store = openStore(t, e, func(c *tenant.Config) {
		c.Now = func() time.Time { return w.clock }
		for _, edit := range edits {
			edit(c)
		}
	})
	return w
}

func openStore(t *testing.T, e docdb.Engine, edit func(*tenant.Config)) *tenant.Store {
	t.Helper()
	c := tenant.Config{Engine: e, MasterDB: masterDB, TenantDB: tenantDB, Passwords: passwords, Exclusive: true}
	if edit != nil {
		edit(&c)
	}
	s, err := tenant.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func embeddedEngine(t *testing.T) docdb.Engine {
	t.Helper()
	return openEmbedded(t)
}

func openEmbedded(t testing.TB) docdb.Engine {
	t.Helper()
	e, err := embedded.Open(embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// mongoEngine returns an engine whose databases are this test's own.
func mongoEngine(t *testing.T) docdb.Engine {
	t.Helper()
	uri := mongotest.URI(t)
	e, err := mongodb.Open(t.Context(), mongodb.Config{URI: uri, Timeout: time.Minute}) // tests share a slow disk
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return renamed{e, map[string]string{masterDB: mongotest.Database(t), tenantDB: mongotest.Database(t)}}
}

// renamed gives databases names of their own on a shared server.
type renamed struct {
	docdb.Engine
	names map[string]string
}

func (r renamed) Database(name string) docdb.Database { return r.Engine.Database(r.names[name]) }

func eachEngine(t *testing.T, f func(*testing.T, *world)) {
	t.Run("embedded", func(t *testing.T) { f(t, newWorld(t, embeddedEngine(t))) })
	t.Run("MongoDB", func(t *testing.T) {
		w := newWorld(t, mongoEngine(t))
		w.slow = true
		f(t, w)
	})
}

func (w *world) create(name, email string) org.Organization {
	w.t.Helper()
	o, err := w.Create(w.t.Context(), tenant.CreateInput{Name: name, Email: email, Password: password})
	if err != nil {
		w.t.Fatalf("create %q: %v", name, err)
	}
	return o
}

func (w *world) login(email string) org.Principal {
	w.t.Helper()
	p, err := w.Login(w.t.Context(), email, password)
	if err != nil {
		w.t.Fatalf("log in %s: %v", email, err)
	}
	return p
}

func (w *world) put(collection string, doc bson.D) { putDocument(w.t, w.engine, collection, doc) }

func putDocument(t testing.TB, e docdb.Engine, collection string, doc bson.D) {
	t.Helper()
	raw, err := bson.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Database(tenantDB).Collection(collection).Insert(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
}

// fill puts n documents of many shapes and two indexes into a collection.
func (w *world) fill(collection string, n int) { fillCollection(w.t, w.engine, collection, n) }

func fillCollection(t testing.TB, e docdb.Engine, collection string, n int) {
	t.Helper()
	c := e.Database(tenantDB).Collection(collection)
	for _, ix := range []docdb.Index{
		{Name: "by_n", Keys: []docdb.Key{{Path: "n"}}, Unique: true},
		{Name: "by_tags", Keys: []docdb.Key{{Path: "tags"}, {Path: "n", Desc: true}}},
	} {
		if err := c.CreateIndex(t.Context(), ix); err != nil {
			t.Fatal(err)
		}
	}
	var docs []bson.Raw
	for i := range n {
		var id any = i
		switch i % 3 {
		case 1:
			id = fmt.Sprint("id", i)
		case 2:
			id = bson.ObjectID{11: byte(i), 10: byte(i >> 8)}
		}
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: id}, {Key: "n", Value: i},
			{Key: "tags", Value: bson.A{"a", fmt.Sprint(i % 7)}}, {Key: "_rev", Value: int64(i)}})
		if err != nil {
			t.Fatal(err)
		}
		if docs = append(docs, raw); len(docs) == 500 || i == n-1 {
			results, err := c.InsertMany(t.Context(), docs)
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range results {
				if err != nil {
					t.Fatal(err)
				}
			}
			docs = nil
		}
	}
}

// sound fails the test if anything does not fit together.
func (w *world) sound() {
	w.t.Helper()
	for _, s := range unsound(w.t.Context(), w.t, w.engine) {
		w.t.Error(s)
	}
}
