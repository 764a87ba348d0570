package mongodb_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// A write is a call that changes something, and the command that it sends.
type write struct {
	command string
	call    func(ctx context.Context, db docdb.Database) error
}

// everyWrite returns every kind of write; each succeeds in a database of newWritable.
func everyWrite(t *testing.T) map[string]write {
	one := raw(t, bson.D{{Key: "_id", Value: 1}})
	return map[string]write{
		"Create": {"create", func(ctx context.Context, db docdb.Database) error { return db.Create(ctx, "d") }},
		"Drop":   {"drop", func(ctx context.Context, db docdb.Database) error { return db.Drop(ctx, "c") }},
		"CarryIndexes": {"createIndexes", func(ctx context.Context, db docdb.Database) error {
			return db.CarryIndexes(ctx, "c", "c")
		}},
		"CarryOptions": {"collMod", func(ctx context.Context, db docdb.Database) error {
			return db.CarryOptions(ctx, "strict", "c")
		}},
		"Insert": {"insert", func(ctx context.Context, db docdb.Database) error {
			return db.Collection("c").Insert(ctx, raw(t, bson.D{{Key: "_id", Value: 2}}))
		}},
		"InsertMany": {"insert", func(ctx context.Context, db docdb.Database) error {
			errs, err := db.Collection("c").InsertMany(ctx, []bson.Raw{raw(t, bson.D{{Key: "_id", Value: 2}})})
			return errors.Join(append(errs, err)...)
		}},
		"Replace": {"update", func(ctx context.Context, db docdb.Database) error {
			return db.Collection("c").Replace(ctx, value(t, 1), docdb.Filter{}, one)
		}},
		"Delete": {"delete", func(ctx context.Context, db docdb.Database) error {
			return db.Collection("c").Delete(ctx, value(t, 1), docdb.Filter{})
		}},
		"CreateIndex": {"createIndexes", func(ctx context.Context, db docdb.Database) error {
			return db.Collection("c").CreateIndex(ctx, docdb.Index{Name: "j", Keys: []docdb.Key{{Path: "b"}}})
		}},
		"DropIndex": {"dropIndexes", func(ctx context.Context, db docdb.Database) error {
			return db.Collection("c").DropIndex(ctx, "i")
		}},
	}
}

// newWritable makes a database with a collection c that has the document 1 and the index
// i, and a collection that has a validator.
func newWritable(t *testing.T) (name string) {
	t.Helper()
	name = mongotest.Database(t)
	db := open(t, mongodb.Config{URI: mongotest.URI(t)}).Database(name)
	if err := db.Create(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	insert(t, db.Collection("c"), bson.D{{Key: "_id", Value: 1}})
	if err := db.Collection("c").CreateIndex(t.Context(), docdb.Index{Name: "i", Keys: []docdb.Key{{Path: "a"}}}); err != nil {
		t.Fatal(err)
	}
	rule := options.CreateCollection().SetValidator(bson.D{{Key: "_id", Value: bson.D{{Key: "$exists", Value: true}}}})
	if err := driver(t, name).Database().CreateCollection(t.Context(), "strict", rule); err != nil {
		t.Fatal(err)
	}
	return name
}

// seen gives every command of a name a fault; the channel is closed at the first.
func seen(p *mongotest.Proxy, name string, f mongotest.Fault) <-chan struct{} {
	first := make(chan struct{})
	choose := mongotest.First(1, name, "", f)
	p.On(func(c mongotest.Command) mongotest.Fault {
		if c.Name == name {
			select {
			case <-first:
			default:
				close(first)
			}
		}
		return choose(c)
	})
	return first
}

func TestACancelledWriteGoesOnToItsOutcome(t *testing.T) {
	for name, w := range everyWrite(t) {
		t.Run(name, func(t *testing.T) {
			p := mongotest.NewProxy(t, mongotest.URI(t))
			db := open(t, mongodb.Config{URI: p.URI()}).Database(newWritable(t))
			p.Delay(100 * time.Millisecond)
			sent := seen(p, w.command, mongotest.Pass)
			ctx, hangUp := context.WithCancel(t.Context())
			answer := make(chan error, 1)
			go func() { answer <- w.call(ctx, db) }()
			<-sent
			hangUp()
			if err := <-answer; err != nil {
				t.Errorf("the write was done, and answers %v", err)
			}
		})
	}
}

func TestTheDeadlineEndsAWriteThatWasSent(t *testing.T) {
	for name, w := range everyWrite(t) {
		t.Run(name, func(t *testing.T) {
			p := mongotest.NewProxy(t, mongotest.URI(t))
			db := open(t, mongodb.Config{URI: p.URI()}).Database(newWritable(t))
			t.Cleanup(func() { p.On(nil) })
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			p.On(mongotest.First(1000, w.command, "", mongotest.Stall))
			err := w.call(ctx, db)
			isOutcome(t, err, docdb.ErrOutcomeUnknown)
			isOutcome(t, err, context.DeadlineExceeded)
		})
	}
}

func TestTheOutcomeOfAWriteWhoseAnswerIsLostIsUnknown(t *testing.T) {
	for name, w := range everyWrite(t) {
		t.Run(name, func(t *testing.T) {
			p := mongotest.NewProxy(t, mongotest.URI(t))
			db := open(t, mongodb.Config{URI: p.URI() + "&retryWrites=false"}).Database(newWritable(t))
			p.On(mongotest.Nth(1, w.command, "", mongotest.Lose))
			isOutcome(t, w.call(t.Context(), db), docdb.ErrOutcomeUnknown)
		})
	}
}

// TestCloseEndsTheMakingOfAnIndex: it may take hours, and no caller waits for it any more.
func TestCloseEndsTheMakingOfAnIndex(t *testing.T) {
	for _, name := range []string{"CreateIndex", "CarryIndexes"} {
		t.Run(name, func(t *testing.T) {
			p := mongotest.NewProxy(t, mongotest.URI(t))
			e := open(t, mongodb.Config{URI: p.URI()})
			db := e.Database(newWritable(t))
			ctx, hangUp := context.WithCancel(t.Context())
			sent := seen(p, "createIndexes", mongotest.Stall)
			answer := make(chan error, 1)
			go func() { answer <- everyWrite(t)[name].call(ctx, db) }()
			<-sent
			hangUp()
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			isOutcome(t, <-answer, docdb.ErrOutcomeUnknown)
		})
	}
}

// TestAHeldWriteArrivesAfterItsEngineIsGone: a write of unknown outcome is carried out later.
func TestAHeldWriteArrivesAfterItsEngineIsGone(t *testing.T) {
	p := mongotest.NewProxy(t, mongotest.URI(t))
	name := newWritable(t)
	c := open(t, mongodb.Config{URI: mongotest.URI(t)}).Database(name).Collection("c")
	e := open(t, mongodb.Config{URI: p.URI() + "&retryWrites=false", Timeout: 300 * time.Millisecond})
	p.On(mongotest.Nth(1, "update", "c", mongotest.Hold))
	replace := func(c docdb.Collection, v int) error {
		return c.Replace(t.Context(), value(t, 1), docdb.Filter{}, raw(t, bson.D{{Key: "_id", Value: 1}, {Key: "v", Value: v}}))
	}
	isOutcome(t, replace(e.Database(name).Collection("c"), 1), docdb.ErrOutcomeUnknown)
	if err := errors.Join(e.Close(), replace(c, 2)); err != nil {
		t.Fatal(err)
	}
	p.Deliver()
	if doc, err := c.Get(t.Context(), value(t, 1)); err != nil || doc.Lookup("v").AsInt64() != 1 {
		t.Errorf("got %v, %v", doc, err)
	}
}
