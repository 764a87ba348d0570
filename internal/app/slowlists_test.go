package app_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded"
	"github.com/orgd/orgd/internal/httpapi"
	"github.com/orgd/orgd/internal/tenant"
)

// A slowEngine is one whose queries with a filter never end by themselves: when the
// engine beneath has been told that the time is over, or is done, they wait for that
// to be so.
type slowEngine struct {
	docdb.Engine
	on      atomic.Bool
	through atomic.Int64 // queries that did not notice that the time is over
	endless atomic.Int64 // queries that nothing bounds
}

func (e *slowEngine) Database(name string) docdb.Database {
	return slowDatabase{e.Engine.Database(name), e, name == "tenants"}
}

type slowDatabase struct {
	docdb.Database
	e    *slowEngine
	slow bool
}

func (d slowDatabase) Collection(name string) docdb.Collection {
	c := d.Database.Collection(name)
	if !d.slow {
		return c
	}
	return slowCollection{c, d.e}
}

type slowCollection struct {
	docdb.Collection
	e *slowEngine
}

// over is a context that is over when it is asked for the third time.
type over struct {
	context.Context
	asked *atomic.Int64
}

func (o over) Err() error {
	if o.asked.Add(1) > 3 {
		return context.DeadlineExceeded
	}
	return o.Context.Err()
}

// bounded waits for the end of the time, once err has come of a query.
func (c slowCollection) bounded(ctx context.Context, err error) error {
	if _, ok := ctx.Deadline(); !ok {
		c.e.endless.Add(1)
		return errors.New("the query has no bound on its time")
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		c.e.through.Add(1)
	}
	<-ctx.Done()
	return ctx.Err()
}

func (c slowCollection) Find(ctx context.Context, q docdb.Query) iter.Seq2[bson.Raw, error] {
	if !c.e.on.Load() || q.Filter.IsZero() {
		return c.Collection.Find(ctx, q)
	}
	return func(yield func(bson.Raw, error) bool) {
		for doc, err := range c.Collection.Find(over{ctx, new(atomic.Int64)}, q) {
			if err != nil {
				yield(nil, c.bounded(ctx, err))
				return
			}
			if !yield(doc, nil) {
				return
			}
		}
		yield(nil, c.bounded(ctx, nil))
	}
}

func (c slowCollection) Count(ctx context.Context, f docdb.Filter) (int64, error) {
	if !c.e.on.Load() || f.IsZero() {
		return c.Collection.Count(ctx, f)
	}
	_, err := c.Collection.Count(over{ctx, new(atomic.Int64)}, f)
	return 0, c.bounded(ctx, err)
}

// TestAListThatTakesTooLong: an unindexed filter looks at all documents for as long as
// QUERY_TIMEOUT; then the engine stops and the answer is 503.
func TestAListThatTakesTooLong(t *testing.T) {
	t.Parallel()
	inner, err := embedded.Open(embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	e := &slowEngine{Engine: inner}
	w, _ := assemble(t, tenant.Config{Engine: e, MasterDB: "master", TenantDB: "tenants", Exclusive: true},
		httpapi.Config{QueryTimeout: 300 * time.Millisecond}, nil, http.StatusServiceUnavailable)
	owner := w.account("Acme").auth
	var lines strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&lines, `{"_id":"d%05d","n":%d}`+"\n", i, i)
	}
	w.do("POST", "/org/import", lines.String(), owner, asLines).is(200)
	w.do("POST", "/org/indexes", `{"name":"by_n","keys":[{"path":"n"}]}`, owner).is(201)
	e.on.Store(true)
	for _, path := range []string{`?filter={"x":1}`, `?filter={"x":1}&count=true&limit=1`, `?filter={"x":1}&sort=-n`, `?filter={"x":{"$exists":false}}&count=true&limit=1`} {
		u, err := url.ParseQuery(path[1:])
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		a := w.do("GET", "/org/documents?"+u.Encode(), "", owner).is(503, "query_timeout")
		if a.header.Get("Retry-After") == "" || !strings.Contains(a.text("detail"), "300ms") || !strings.Contains(a.text("detail"), "index") {
			t.Errorf("%s: %v %s", path, a.header, a.body)
		}
		if took := time.Since(began); took < 300*time.Millisecond {
			t.Errorf("%s: after %v", path, took)
		}
	}
	if n := e.through.Load(); n > 0 {
		t.Errorf("the engine went through all documents %d times when the time was over", n)
	}
	if n := e.endless.Load(); n > 0 {
		t.Errorf("%d queries have no bound", n)
	}
	w.do("GET", "/org/documents", "", owner).is(200) // of which nothing is slow
	e.on.Store(false)
	w.do("GET", "/org/documents?filter="+url.QueryEscape(`{"x":1}`), "", owner).is(200)
}
