package mongodb_test

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// open opens an engine and closes it with the test.
func open(t testing.TB, cfg mongodb.Config) *mongodb.Engine {
	t.Helper()
	cfg.Timeout, cfg.OpenTimeout = cmp.Or(cfg.Timeout, time.Minute), cmp.Or(cfg.OpenTimeout, time.Minute) // the machine may be busy
	e, err := mongodb.Open(t.Context(), cfg)
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

// create opens an engine and creates a collection in a database of its own.
func create(t testing.TB, uri string) docdb.Collection {
	t.Helper()
	db := open(t, mongodb.Config{URI: uri}).Database(mongotest.Database(t))
	if err := db.Create(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	return db.Collection("c")
}

func raw(t testing.TB, doc any) bson.Raw {
	t.Helper()
	b, err := bson.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func value(t testing.TB, v any) bson.RawValue {
	t.Helper()
	typ, b, err := bson.MarshalValue(v)
	if err != nil {
		t.Fatal(err)
	}
	return bson.RawValue{Type: typ, Value: b}
}

func insert(t testing.TB, c docdb.Collection, docs ...any) {
	t.Helper()
	all := make([]bson.Raw, len(docs))
	for i, doc := range docs {
		all[i] = raw(t, doc)
	}
	errs, err := c.InsertMany(t.Context(), all)
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
}

func find(t testing.TB, c docdb.Collection, q docdb.Query) []bson.Raw {
	t.Helper()
	var docs []bson.Raw
	for doc, err := range c.Find(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, doc)
	}
	return docs
}

func TestOpen(t *testing.T) {
	const secret = "s3cr3t"
	for name, test := range map[string]struct {
		uri   string
		is    error
		names string // what the error must say
	}{
		"empty":                    {"", docdb.ErrInvalid, "empty"},
		"another scheme":           {"postgres://u:" + secret + "@h/", docdb.ErrInvalid, "mongodb://"},
		"bad port":                 {"mongodb://u:" + secret + "@host.test:99999999/", docdb.ErrInvalid, ""},
		"bad escape":               {"mongodb://u:" + secret + "%zz@host.test/", docdb.ErrInvalid, "percent-encoded"},
		"slash in the password":    {"mongodb://u:/" + secret + "@host.test/", docdb.ErrInvalid, "percent-encoded"},
		"question mark in it":      {"mongodb://u:?" + secret + "@host.test/", docdb.ErrUnavailable, "host.test"}, // the driver takes it
		"at sign in it":            {"mongodb://u:@" + secret + "@host.test/", docdb.ErrInvalid, "percent-encoded"},
		"bad option":               {"mongodb://u:" + secret + "@host.test/?w=0&journal=true&x", docdb.ErrInvalid, ""},
		"bad option, no password":  {"mongodb://host.test/?retryWrites=" + "perhaps", docdb.ErrInvalid, "retryWrites"},
		"secret in an option":      {"mongodb://host.test/?tlsCertificateKeyFilePassword=" + secret + "&retryWrites=perhaps", docdb.ErrInvalid, ""},
		"nobody listens":           {"mongodb://u:" + secret + "@127.0.0.1:1/?authSource=admin", docdb.ErrUnavailable, "127.0.0.1:1"},
		"nobody listens, two":      {"mongodb://127.0.0.1:1,127.0.0.1:2/?replicaSet=rs", docdb.ErrUnavailable, "127.0.0.1:1,127.0.0.1:2"},
		"no such host":             {"mongodb://u:" + secret + "@nowhere.invalid/", docdb.ErrUnavailable, "nowhere.invalid"},
		"no such service":          {"mongodb+srv://u:" + secret + "@db.nowhere.invalid/", docdb.ErrUnavailable, "nowhere.invalid"},
		"no such service, slashed": {"mongodb+srv://u:a.b.c/" + secret + "@db.nowhere.invalid/", docdb.ErrInvalid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := mongodb.Open(t.Context(), mongodb.Config{URI: test.uri, OpenTimeout: 500 * time.Millisecond})
			if err == nil {
				e.Close()
				t.Fatal("no error")
			}
			if !errors.Is(err, test.is) {
				t.Errorf("got %v, want %v", err, test.is)
			}
			if text := err.Error(); !strings.Contains(text, test.names) || strings.Contains(text, secret) ||
				strings.ContainsAny(text, "\r\n") {
				t.Errorf("got %q, want one line with %q and without the password", text, test.names)
			}
		})
	}

	t.Run("wrong password", func(t *testing.T) {
		uri := strings.Replace(mongotest.URI(t), "mongodb://", "mongodb://nobody:"+secret+"@", 1)
		e, err := mongodb.Open(t.Context(), mongodb.Config{URI: uri})
		if err == nil {
			e.Close()
			t.Skip("the server does not ask for a password")
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows the password: %v", err)
		}
		t.Log(err)
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := mongodb.Open(ctx, mongodb.Config{URI: "mongodb://127.0.0.1:1/"})
		if !errors.Is(err, docdb.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want ErrUnavailable and Canceled", err)
		}
	})
}

func TestClose(t *testing.T) {
	e := open(t, mongodb.Config{URI: mongotest.URI(t)})
	db := e.Database(mongotest.Database(t))
	c := db.Collection("c")
	if err := db.Create(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	insert(t, c, bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "_id", Value: 2}})

	closed := make(chan error)
	n := 0
	for _, err := range c.Find(t.Context(), docdb.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			go func() { closed <- e.Close() }()
			select {
			case <-closed:
				t.Fatal("Close did not wait for a stream")
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	if err := <-closed; err != nil || n != 2 {
		t.Errorf("got %d documents and %v, want 2 and nil", n, err)
	}
	if err := c.Insert(t.Context(), raw(t, bson.D{{Key: "_id", Value: 3}})); !errors.Is(err, docdb.ErrClosed) {
		t.Errorf("Insert after Close: %v", err)
	}
	for _, err := range c.Find(t.Context(), docdb.Query{}) {
		if !errors.Is(err, docdb.ErrClosed) {
			t.Errorf("Find after Close: %v", err)
		}
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestLinearizable(t *testing.T) {
	e := open(t, mongodb.Config{URI: mongotest.URI(t), Linearizable: true})
	db := e.Database(mongotest.Database(t))
	if err := db.Create(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	insert(t, db.Collection("c"), bson.D{{Key: "_id", Value: 1}})
	if _, err := db.Collection("c").Get(t.Context(), value(t, 1)); err != nil {
		t.Error(err)
	}
	if _, err := db.Collection("c").Get(t.Context(), value(t, 2)); !errors.Is(err, docdb.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}
