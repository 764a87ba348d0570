package master

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
)

// slowReads takes a while for every Get, and counts them.
type slowReads struct {
	docdb.Collection
	reads atomic.Int64
}

func (c *slowReads) Get(ctx context.Context, id bson.RawValue) (bson.Raw, error) {
	c.reads.Add(1)
	doc, err := c.Collection.Get(ctx, id) // at its beginning: what comes later it does not see
	time.Sleep(time.Millisecond)
	return doc, err
}

func newSlowReads(t *testing.T) (*Coalesced[Organization, *Organization], *slowReads) {
	db := model.New().Database("d")
	if err := db.Create(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	slow := &slowReads{Collection: db.Collection("c")}
	l := &Coalesced[Organization, *Organization]{Table: Table[Organization, *Organization]{Collection: slow}}
	if err := l.Table.Insert(t.Context(), &Organization{Meta: Meta{ID: "o"}}); err != nil {
		t.Fatal(err)
	}
	return l, slow
}

func TestSharedReadsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, slow := newSlowReads(t)
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() {
				for range 10 {
					if _, err := l.Get(t.Context(), "o"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if n := slow.reads.Load(); n > 40 {
			t.Errorf("%d reads for 320 requests of 32 clients", n)
		}
	})
}

// A shared read sees every write that was done before its request.
func TestSharedReadsAreNeverOlderThanTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := newSlowReads(t)
		var (
			all     sync.WaitGroup
			written atomic.Int64
		)
		for i := range 16 {
			all.Go(func() {
				for range 20 {
					time.Sleep(time.Duration(i*37) * time.Microsecond)
					before := written.Load()
					o, err := l.Get(t.Context(), "o")
					if err != nil || o.Epoch < before {
						t.Errorf("read epoch %d when %d was written, %v", o.Epoch, before, err)
					}
				}
			})
		}
		for range 100 {
			time.Sleep(130 * time.Microsecond)
			o, err := l.Table.Change(t.Context(), "o", func(o *Organization) (bool, error) { o.Epoch++; return true, nil })
			if err != nil {
				t.Fatal(err)
			}
			written.Store(o.Epoch)
		}
		all.Wait()
	})
}

func TestSharedReadEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := newSlowReads(t)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Microsecond)
		defer cancel()
		if _, err := l.Get(ctx, "o"); err != context.DeadlineExceeded {
			t.Errorf("it answers %v", err)
		}
		if _, err := l.Get(t.Context(), "o"); err != nil { // it has harmed nobody else
			t.Error(err)
		}
	})
}
