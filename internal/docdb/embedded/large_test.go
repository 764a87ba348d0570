package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/meter"
	"github.com/orgd/orgd/internal/fair"
)

// TestNeighboursOfALargeDocument: what is inserted or read beside a large document reads
// nothing of that.
func TestNeighboursOfALargeDocument(t *testing.T) {
	var reads atomic.Int64
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileReadAt && strings.HasSuffix(op.Path, ".sst") {
			reads.Add(1)
		}
		return nil
	}))
	e := open(t, Config{Dir: "data", FS: fs, CacheBytes: 2 << 20}) // in which the large one has no place
	c := newCollection(t, e)
	name := func(n int) string { return fmt.Sprintf("doc%04d", n) }
	const few = 20 // they fit into one block, with something to spare
	for n := range few {
		mustInsert(t, c, doc("_id", name(n), "n", n))
	}
	mustInsert(t, c, doc("_id", "large", "a", numbers(500_000)))
	if err := e.store.DB.Compact(bg, []byte{0}, []byte{255}, false); err != nil {
		t.Fatal(err)
	}
	const times = 500
	for what, do := range map[string]func(n int) error{
		"inserting": func(n int) error { return c.Insert(bg, doc("_id", name(1000+n))) },
		"reading":   func(n int) error { _, err := c.Get(bg, rawValue(name(n%few))); return err },
	} {
		reads.Store(0)
		for n := range times {
			if err := do(n); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		if n := reads.Load(); n > times/5 {
			t.Errorf("%s %d small documents read %d blocks", what, times, n)
		}
	}
}

// TestLargeReadsTakeTurns: a document that is known to be large is read when it is its
// reader's turn, and a small one at once.
func TestLargeReadsTakeTurns(t *testing.T) {
	e := openMem(t, vfs.NewMem())
	c := newCollection(t, e)
	mustInsert(t, c, doc("_id", "large", "a", numbers(200_000)))
	mustInsert(t, c, doc("_id", "small"))
	q := fair.NewQueue(1, 0)
	begin := func() meter.Turn {
		var work fair.Work
		work.Begin(q, "tenant")
		return work.Turn()
	}
	ctx, cancel := context.WithTimeout(meter.WithTurns(bg, begin), 50*time.Millisecond)
	defer cancel()
	if err := q.Enter(bg, "another"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(ctx, rawValue("small")); err != nil {
		t.Error(err)
	}
	if _, err := c.Get(ctx, rawValue("large")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("out of turn it answers %v", err)
	}
	if err := c.Replace(bg, rawValue("large"), docdb.Filter{}, doc("_id", "large")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(bg, rawValue("large")); err != nil {
		t.Error(err)
	}
	ctx, cancel = context.WithTimeout(meter.WithTurns(bg, begin), time.Minute)
	defer cancel()
	if _, err := c.Get(ctx, rawValue("large")); err != nil {
		t.Errorf("small again, it answers %v", err)
	}
}

// TestWhoWaitsForTheDiskHoldsNoTurn: writes that have worked for long take turns, which end
// before they wait for the log.
func TestWhoWaitsForTheDiskHoldsNoTurn(t *testing.T) {
	waits, goOn := make(chan struct{}, 100), make(chan struct{})
	var slow atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if slow.Load() && strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
			waits <- struct{}{}
			<-goOn
		}
		return nil
	}))
	e := openMem(t, fs)
	c := newCollection(t, e)
	mustInsert(t, c, doc("_id", "old"))
	q := fair.NewQueue(1, 0)
	var work fair.Work
	work.Begin(q, "tenant")
	used := work.Turn()
	_ = used.Rest(bg)
	time.Sleep(2 * time.Millisecond) // the work for which a request needs no turn
	used.Done()
	ctx := meter.WithTurns(bg, func() meter.Turn { return work.Turn() })
	slow.Store(true)
	done := make(chan error, 3)
	go func() { done <- c.Insert(ctx, doc("_id", "new")) }()
	go func() { done <- c.Replace(ctx, rawValue("old"), docdb.Filter{}, doc("_id", "old", "a", 1)) }()
	go func() {
		errs, err := c.InsertMany(ctx, []bson.Raw{doc("_id", "first"), doc("_id", "second")})
		done <- errors.Join(append(errs, err)...)
	}()
	<-waits
	in, cancel := context.WithTimeout(bg, time.Minute)
	defer cancel()
	for range 10 { // while they wait, and whatever they do meanwhile
		if err := q.Enter(in, "another"); err != nil {
			t.Fatal("somebody waits for the disk and holds a turn")
		}
		q.Leave()
	}
	slow.Store(false)
	close(goOn)
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
