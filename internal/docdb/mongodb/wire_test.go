package mongodb_test

import (
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/filter"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// A recorder keeps the commands that pass a proxy.
type recorder struct {
	mu       sync.Mutex
	commands map[string][]bson.Raw
}

func record(p *mongotest.Proxy) *recorder {
	r := &recorder{commands: map[string][]bson.Raw{}}
	p.On(func(c mongotest.Command) mongotest.Fault {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.commands[c.Name] = append(r.commands[c.Name], c.Body)
		return mongotest.Pass
	})
	return r
}

// TestAListOfIDsIsOneMessage: and the server chooses how to look them up.
func TestAListOfIDsIsOneMessage(t *testing.T) {
	p := mongotest.NewProxy(t, mongotest.URI(t))
	c := create(t, p.URI())
	var docs []any
	var ids []bson.RawValue
	for i := range filter.MaxInValues {
		docs = append(docs, bson.D{{Key: "_id", Value: i}})
		ids = append(ids, value(t, i))
	}
	insert(t, c, docs...)
	r := record(p)
	if n := len(find(t, c, docdb.Query{Filter: docdb.In("_id", ids)})); n != len(ids) {
		t.Errorf("found %d", n)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.commands["find"]) != 1 || len(r.commands["getMore"]) != 0 {
		t.Fatalf("%d finds and %d getMores", len(r.commands["find"]), len(r.commands["getMore"]))
	}
	cmd := r.commands["find"][0]
	if _, err := cmd.LookupErr("hint"); err == nil || cmd.Lookup("sort").String() != `{"_id": {"$numberInt":"1"}}` {
		t.Errorf("sent %v", cmd.Lookup("hint"))
	}
}

// TestCommandsOnTheWire: whatever the connection string asks for, every write is
// journaled on a majority, every read goes to the primary and returns what a majority has, and
// every find walks an index in the order of its sort, unless it is for a few documents of a filter.
func TestCommandsOnTheWire(t *testing.T) {
	p := mongotest.NewProxy(t, mongotest.URI(t))
	e := open(t, mongodb.Config{URI: p.URI() + "&w=1&journal=false&readConcernLevel=local&readPreference=secondaryPreferred"})
	r := record(p)
	db := e.Database(mongotest.Database(t))
	c := db.Collection("c")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	doc := raw(t, bson.D{{Key: "_id", Value: 1}, {Key: "a", Value: 1}})
	order := []docdb.Key{{Path: "a", Desc: true}}
	must(db.Create(t.Context(), "c"))
	must(c.CreateIndex(t.Context(), docdb.Index{Name: "a", Keys: order}))
	must(c.Insert(t.Context(), doc))
	insert(t, c, bson.D{{Key: "_id", Value: 2}})
	must(c.Replace(t.Context(), value(t, 1), docdb.Filter{}, doc))
	must(c.Delete(t.Context(), value(t, 2), docdb.Filter{}))
	_, err := c.Get(t.Context(), value(t, 1))
	must(err)
	_, err = c.Count(t.Context(), docdb.Filter{})
	must(err)
	find(t, c, docdb.Query{})
	find(t, c, docdb.Query{Order: order, Desc: true, Limit: 1})
	find(t, c, docdb.Query{Filter: docdb.Eq("a", 1), Limit: 5})
	find(t, c, docdb.Query{Filter: docdb.Eq("a", 1)})
	must(c.DropIndex(t.Context(), "a"))
	must(db.Drop(t.Context(), "c"))

	r.mu.Lock()
	defer r.mu.Unlock()
	for command, times := range map[string]int{"create": 1, "createIndexes": 1, "insert": 2, "update": 1, "delete": 1, "dropIndexes": 1, "drop": 1} {
		if len(r.commands[command]) != times {
			t.Errorf("%s: sent %d times, want %d", command, len(r.commands[command]), times)
		}
		for _, cmd := range r.commands[command] {
			if w, j := cmd.Lookup("writeConcern", "w"), cmd.Lookup("writeConcern", "j"); w.String() != `"majority"` || !j.Boolean() {
				t.Errorf("%s: the write concern is not that of a majority: %v", command, cmd)
			}
		}
	}
	for command, times := range map[string]int{"find": 5, "aggregate": 1} {
		if len(r.commands[command]) != times {
			t.Errorf("%s: sent %d times, want %d", command, len(r.commands[command]), times)
		}
		for _, cmd := range r.commands[command] {
			// Under directConnection the driver says "primaryPreferred" whatever
			// the engine asks for, which is why Open checks that the server is alone.
			mode, _ := cmd.Lookup("$readPreference", "mode").StringValueOK()
			if cmd.Lookup("readConcern", "level").String() != `"majority"` || mode == "secondaryPreferred" {
				t.Errorf("%s: not a read of what a majority has: %v", command, cmd)
			}
		}
	}
	for i, want := range []struct{ hint, sort string }{
		{`{"_id": {"$numberInt":"1"}}`, `{"_id": {"$numberInt":"1"}}`},
		{`{"a": {"$numberInt":"-1"},"_id": {"$numberInt":"1"}}`, `{"a": {"$numberInt":"1"},"_id": {"$numberInt":"-1"}}`},
		{"", `{"_id": {"$numberInt":"1"}}`}, // a few of a filter: the server knows better
		{`{"_id": {"$numberInt":"1"}}`, `{"_id": {"$numberInt":"1"}}`},
	} {
		cmd := r.commands["find"][i+1]
		if hint, sort := cmd.Lookup("hint").String(), cmd.Lookup("sort").String(); hint != want.hint || sort != want.sort {
			t.Errorf("hint %s and sort %s, want %s and %s", hint, sort, want.hint, want.sort)
		}
	}
}
