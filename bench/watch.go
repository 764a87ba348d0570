package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// watched is an engine that notes what a store does in its master database.
type watched struct {
	docdb.Engine
	reads atomic.Int64 // of the organizations collection

	mu    sync.Mutex
	steps map[string]time.Time // when an operation was first seen at a step
	order []string
}

func (w *watched) Database(name string) docdb.Database {
	db := w.Engine.Database(name)
	if name != mongoMaster {
		return db
	}
	return watchedDatabase{db, w}
}

type watchedDatabase struct {
	docdb.Database
	w *watched
}

func (d watchedDatabase) Collection(name string) docdb.Collection {
	c := d.Database.Collection(name)
	switch name {
	case "organizations":
		return watchedOrganizations{c, d.w}
	case "operations":
		return watchedOperations{c, d.w}
	}
	return c
}

type watchedOrganizations struct {
	docdb.Collection
	w *watched
}

// A memo in a request's context notes that the request has read its organization. The
// second read is then answered from brief, if that is not nil, and costs next to nothing:
// what is left is a read of a document without the re-read.
type memo struct {
	read  bool
	brief bson.Raw
}

type memoKey struct{}

func (o watchedOrganizations) Get(ctx context.Context, id bson.RawValue) (bson.Raw, error) {
	if m, ok := ctx.Value(memoKey{}).(*memo); ok {
		if m.read && m.brief != nil {
			return m.brief, nil
		}
		m.read = true
	}
	o.w.reads.Add(1)
	return o.Collection.Get(ctx, id)
}

// numbersOf keeps of an organization what a re-read compares, and what takes no
// memory of its own to decode.
func numbersOf(doc bson.Raw) (bson.Raw, error) {
	var kept bson.D
	for name, v := range wire.Fields(doc) {
		if v.Type == bson.TypeInt64 {
			kept = append(kept, bson.E{Key: string(name), Value: v.Int64()})
		}
	}
	return bson.Marshal(kept)
}

type watchedOperations struct {
	docdb.Collection
	w *watched
}

func (o watchedOperations) Replace(ctx context.Context, id bson.RawValue, when docdb.Filter, doc bson.Raw) error {
	err := o.Collection.Replace(ctx, id, when, doc)
	if err == nil {
		step, _ := doc.Lookup("step").StringValueOK()
		o.w.at(step)
	}
	return err
}

func (w *watched) at(step string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.steps == nil {
		w.steps = map[string]time.Time{}
	}
	if _, seen := w.steps[step]; !seen {
		w.steps[step] = time.Now()
		w.order = append(w.order, step)
	}
}

// took returns how long each step of the operation that has ended by now took, and
// forgets it.
func (w *watched) took(ended time.Time) map[string]time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]time.Duration{}
	for i, step := range w.order {
		until := ended
		if i+1 < len(w.order) {
			until = w.steps[w.order[i+1]]
		}
		all[step] = until.Sub(w.steps[step])
	}
	w.steps, w.order = nil, nil
	return all
}
