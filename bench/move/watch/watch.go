// Package watch wraps an engine so that a measurement sees what the store does in the
// master database: how often it reads an organization, and when a move reaches a step.
package watch

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/bench/mongoserver"
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// An Engine notes what a store does in its master database.
type Engine struct {
	docdb.Engine
	Reads atomic.Int64 // of the organizations collection

	mu    sync.Mutex
	steps map[string]time.Time // when an operation was first seen at a step
	order []string
}

// Database implements docdb.Engine.
func (w *Engine) Database(name string) docdb.Database {
	db := w.Engine.Database(name)
	if name != mongoserver.MasterDB {
		return db
	}
	return database{db, w}
}

type database struct {
	docdb.Database
	w *Engine
}

// Collection implements docdb.Database.
func (d database) Collection(name string) docdb.Collection {
	c := d.Database.Collection(name)
	switch name {
	case "organizations":
		return organizations{c, d.w}
	case "operations":
		return operations{c, d.w}
	}
	return c
}

type organizations struct {
	docdb.Collection
	w *Engine
}

// A memo in a request's context notes that the request has read its organization.
type memo struct {
	read  bool
	brief bson.Raw
}

type memoKey struct{}

// WithMemo returns a request's context in which the second read of the organization is
// answered from brief, if that is not nil, and costs next to nothing: what is left is a
// read of a document without the second look.
func WithMemo(ctx context.Context, brief bson.Raw) context.Context {
	return context.WithValue(ctx, memoKey{}, &memo{brief: brief})
}

// Get implements docdb.Collection.
func (o organizations) Get(ctx context.Context, id bson.RawValue) (bson.Raw, error) {
	if m, ok := ctx.Value(memoKey{}).(*memo); ok {
		if m.read && m.brief != nil {
			return m.brief, nil
		}
		m.read = true
	}
	o.w.Reads.Add(1)
	return o.Collection.Get(ctx, id)
}

// Numbers keeps of an organization what the second look compares, and what takes no
// Memory of its own to decode.
func Numbers(doc bson.Raw) (bson.Raw, error) {
	var kept bson.D
	for name, v := range wire.Fields(doc) {
		if v.Type == bson.TypeInt64 {
			kept = append(kept, bson.E{Key: string(name), Value: v.Int64()})
		}
	}
	return bson.Marshal(kept)
}

type operations struct {
	docdb.Collection
	w *Engine
}

// Replace implements docdb.Collection.
func (o operations) Replace(ctx context.Context, id bson.RawValue, when docdb.Filter, doc bson.Raw) error {
	err := o.Collection.Replace(ctx, id, when, doc)
	if err == nil {
		step, _ := doc.Lookup("step").StringValueOK()
		o.w.at(step)
	}
	return err
}

func (w *Engine) at(step string) {
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

// Took returns how long each step of the operation that has ended by now took, and
// forgets it.
func (w *Engine) Took(ended time.Time) map[string]time.Duration {
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
