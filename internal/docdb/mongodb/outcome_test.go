package mongodb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// broken returns a database of an engine whose connections a test can break, and a collection of it
// that is reached without the proxy.
// Each call of the engine has that time.
func broken(t *testing.T, options string, timeout time.Duration) (*mongotest.Proxy, docdb.Database, docdb.Collection) {
	t.Helper()
	p := mongotest.NewProxy(t, mongotest.URI(t))
	name := mongotest.Database(t)
	direct := open(t, mongodb.Config{URI: mongotest.URI(t)}).Database(name)
	if err := direct.Create(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	e := open(t, mongodb.Config{URI: p.URI() + options, Timeout: timeout})
	t.Cleanup(func() { p.On(nil) }) // before the engine is closed
	return p, e.Database(name), direct.Collection("c")
}

func isOutcome(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// recovers asserts that a call succeeds once the driver has found the server again, and until then
// says that nothing was done.
func recovers(t *testing.T, call func() error) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); ; {
		err := call()
		if err == nil {
			return
		}
		if !errors.Is(err, docdb.ErrUnavailable) || time.Now().After(end) {
			t.Fatalf("afterwards: %v", err)
		}
	}
}

// mended lets all commands pass, and waits until the driver has connected again: while connections
// break at once it tries so often that the server, or the proxy, runs out of connections for a while.
func mended(t *testing.T, p *mongotest.Proxy, db docdb.Database) {
	t.Helper()
	p.On(nil)
	recovers(t, func() error {
		_, err := db.List(t.Context(), "")
		return err
	})
}

func TestWritesOnBrokenConnections(t *testing.T) {
	doc := func(id string, v int) bson.Raw {
		return raw(t, bson.D{{Key: "_id", Value: id}, {Key: "v", Value: v}})
	}
	// Each call is about the document of its name, which exists but for Insert.
	calls := map[string]struct {
		command string
		call    func(db docdb.Database, id string) error
		done    func(c docdb.Collection, id string) bool
	}{
		"insert": {"insert", func(db docdb.Database, id string) error {
			return db.Collection("c").Insert(t.Context(), doc("new"+id, 1))
		}, func(c docdb.Collection, id string) bool {
			_, err := c.Get(t.Context(), docdb.StringID("new"+id))
			return err == nil
		}},
		"insert many": {"insert", func(db docdb.Database, id string) error {
			errs, err := db.Collection("c").InsertMany(t.Context(), []bson.Raw{doc("new"+id, 1)})
			return errors.Join(append(errs, err)...)
		}, func(c docdb.Collection, id string) bool {
			_, err := c.Get(t.Context(), docdb.StringID("new"+id))
			return err == nil
		}},
		"replace": {"update", func(db docdb.Database, id string) error {
			return db.Collection("c").Replace(t.Context(), docdb.StringID(id), docdb.Eq("v", 0), doc(id, 1))
		}, func(c docdb.Collection, id string) bool {
			got, err := c.Get(t.Context(), docdb.StringID(id))
			return err == nil && got.Lookup("v").AsInt64() == 1
		}},
		"delete": {"delete", func(db docdb.Database, id string) error {
			return db.Collection("c").Delete(t.Context(), docdb.StringID(id), docdb.Eq("v", 0))
		}, func(c docdb.Collection, id string) bool {
			_, err := c.Get(t.Context(), docdb.StringID(id))
			return errors.Is(err, docdb.ErrNotFound)
		}},
	}
	for name, test := range calls {
		t.Run(name, func(t *testing.T) {
			for retries, option := range map[string]string{"without retries": "&retryWrites=false", "with retries": ""} {
				t.Run(retries, func(t *testing.T) {
					t.Parallel()
					p, db, c := broken(t, option, 500*time.Millisecond)
					insert(t, c, doc("once", 0), doc("always", 0), doc("stall", 0), doc("cut", 0))

					p.On(mongotest.Nth(1, test.command, "", mongotest.Lose))
					err := test.call(db, "once")
					if option != "" || err != nil {
						// The driver's second attempt may meet the effect of the first.
						isOutcome(t, err, docdb.ErrOutcomeUnknown)
					}
					if !test.done(c, "once") {
						t.Error("not done, although the server got the command")
					}
					mended(t, p, db)
					p.On(mongotest.First(1000, test.command, "", mongotest.Lose))
					isOutcome(t, test.call(db, "always"), docdb.ErrOutcomeUnknown)
					mended(t, p, db)
					p.On(mongotest.First(1000, test.command, "", mongotest.Stall))
					isOutcome(t, test.call(db, "stall"), docdb.ErrOutcomeUnknown)
					if !test.done(c, "stall") {
						t.Error("not done, although the server got the command")
					}
					mended(t, p, db)
					// The driver can't tell whether the command has reached the server.
					p.On(mongotest.First(1000, test.command, "", mongotest.Cut))
					isOutcome(t, test.call(db, "cut"), docdb.ErrOutcomeUnknown)
					p.On(nil)
					recovers(t, func() error { return test.call(db, "cut") })
					if !test.done(c, "cut") {
						t.Error("not done afterwards")
					}
				})
			}
		})
	}
}

func TestCommandsOnBrokenConnections(t *testing.T) {
	p, db, _ := broken(t, "", 500*time.Millisecond)
	ix := docdb.Index{Name: "a", Keys: []docdb.Key{{Path: "a"}}}
	for _, test := range []struct {
		command string
		call    func() error
	}{
		{"create", func() error { return db.Create(t.Context(), "d") }},
		{"createIndexes", func() error { return db.Collection("c").CreateIndex(t.Context(), ix) }},
		{"dropIndexes", func() error { return db.Collection("c").DropIndex(t.Context(), "a") }},
		{"drop", func() error { return db.Drop(t.Context(), "c") }},
	} {
		p.On(mongotest.Nth(1, test.command, "", mongotest.Lose))
		isOutcome(t, test.call(), docdb.ErrOutcomeUnknown)
		p.On(nil)
	}
	names, err := db.List(t.Context(), "")
	if err != nil || !slices.Equal(names, []string{"d"}) {
		t.Errorf("got %v and %v: not all was done", names, err)
	}
}

func TestReadsOnBrokenConnections(t *testing.T) {
	p, db, c := broken(t, "", 0)
	var docs []any
	for i := range 2000 {
		docs = append(docs, bson.D{{Key: "_id", Value: i}})
	}
	insert(t, c, docs[:1000]...)
	insert(t, c, docs[1000:]...)

	p.On(mongotest.Nth(1, "find", "", mongotest.Cut))
	if _, err := db.Collection("c").Get(t.Context(), value(t, 1)); err != nil {
		t.Errorf("the driver tries a read again, but: %v", err)
	}
	p.On(mongotest.First(2, "getMore", "", mongotest.Cut))
	if n := len(find(t, db.Collection("c"), docdb.Query{})); n != len(docs) {
		t.Errorf("a stream that broke gave %d of %d documents", n, len(docs))
	}
	p.On(mongotest.First(2, "getMore", "", mongotest.Cut))
	if n := len(find(t, db.Collection("c"), docdb.Query{Limit: 1700, Desc: true})); n != 1700 {
		t.Errorf("a stream that broke gave %d of 1700 documents", n)
	}
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	p.On(mongotest.First(100_000, "find", "", mongotest.Cut))
	_, err := db.Collection("c").Get(short(), value(t, 1))
	isOutcome(t, err, docdb.ErrUnavailable)
	for _, err := range db.Collection("c").Find(short(), docdb.Query{}) {
		isOutcome(t, err, docdb.ErrUnavailable)
	}
	mended(t, p, db)
	p.On(mongotest.First(1000, "find", "", mongotest.Stall))
	_, err = db.Collection("c").Get(short(), value(t, 1))
	isOutcome(t, err, docdb.ErrUnavailable)
	isOutcome(t, err, context.DeadlineExceeded)
}

func TestUnavailable(t *testing.T) {
	server := mongotest.Start(t)
	e := open(t, mongodb.Config{URI: server.URI() + "?serverSelectionTimeoutMS=300", Timeout: time.Second})
	db := e.Database("d")
	if err := db.Create(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	// The pool's connections may be found dead only when they are used.
	_ = e.Ping(t.Context())
	c := db.Collection("c")
	_, getErr := c.Get(t.Context(), value(t, 1))
	_, countErr := c.Count(t.Context(), docdb.Filter{})
	_, listErr := db.List(t.Context(), "")
	_, manyErr := c.InsertMany(t.Context(), []bson.Raw{raw(t, bson.D{{Key: "_id", Value: 1}})})
	for what, err := range map[string]error{
		"Ping": e.Ping(t.Context()), "Get": getErr, "Count": countErr, "List": listErr, "InsertMany": manyErr,
		"Insert":      c.Insert(t.Context(), raw(t, bson.D{{Key: "_id", Value: 1}})),
		"Delete":      c.Delete(t.Context(), value(t, 1), docdb.Filter{}),
		"Create":      db.Create(t.Context(), "e"),
		"Drop":        db.Drop(t.Context(), "c"),
		"CreateIndex": c.CreateIndex(t.Context(), docdb.Index{Name: "a", Keys: []docdb.Key{{Path: "a"}}}),
	} {
		if !errors.Is(err, docdb.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want ErrUnavailable", what, err)
		}
	}
	server.Restart(t)
	recovers(t, func() error { return c.Insert(t.Context(), raw(t, bson.D{{Key: "_id", Value: 1}})) })
}

// TestKill kills the server in the midst of writes. Afterwards acknowledged writes are there, and
// the others are there as a whole or not at all.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: make test-long")
	}
	const writers = 4
	server := mongotest.Start(t)
	e := open(t, mongodb.Config{URI: server.URI(), Timeout: 5 * time.Second})
	db := e.Database("d")
	if err := db.Create(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	c := db.Collection("c")
	if err := c.CreateIndex(t.Context(), docdb.Index{Name: "n", Keys: []docdb.Key{{Path: "n"}}, Unique: true}); err != nil {
		t.Fatal(err)
	}
	acked := make([]int, writers) // the highest number that each writer got an answer for
	tried := make([]int, writers) // and that it sent
	for round := range 3 {
		var stop atomic.Bool
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for !stop.Load() {
					tried[w]++
					id := fmt.Sprintf("%d-%06d", w, tried[w])
					err := c.Insert(t.Context(), raw(t, bson.D{{Key: "_id", Value: id}, {Key: "n", Value: id}}))
					if err != nil {
						return
					}
					acked[w] = tried[w]
				}
			})
		}
		time.Sleep(time.Duration(200+100*round) * time.Millisecond)
		server.Kill()
		stop.Store(true)
		server.Restart(t)
		wg.Wait()
		for _, order := range [][]docdb.Key{nil, {{Path: "n"}}} {
			there := map[string]bool{}
			for _, doc := range find(t, c, docdb.Query{Order: order}) {
				there[doc.Lookup("n").StringValue()] = true
			}
			for w := range writers {
				for n := 1; n <= acked[w]; n++ {
					if id := fmt.Sprintf("%d-%06d", w, n); !there[id] && n != tried[w] {
						t.Errorf("round %d: %s was acknowledged and is lost", round, id)
					}
				}
			}
		}
		for w := range writers {
			acked[w] = tried[w] // the last one may be there or not
			t.Logf("round %d, writer %d: %d writes", round, w, tried[w])
		}
	}
}
