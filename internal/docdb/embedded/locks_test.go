package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/docdb"
)

// TestManyKeysOfOneCollectionAreNoneOfAnothers holds up a document with as many unique keys as
// there may be, which once took all the locks there were.
func TestManyKeysOfOneCollectionAreNoneOfAnothers(t *testing.T) {
	fs := newSlowLog()
	e := openMem(t, fs)
	hostile := newCollection(t, e)
	mustIndex(t, hostile, docdb.Index{Name: "u", Keys: keyOn("a"), Unique: true})
	if err := e.Database("db").Create(bg, "other"); err != nil {
		t.Fatal(err)
	}
	other := e.Database("db").Collection("other")
	for i := range 200 {
		mustInsert(t, other, doc("_id", i))
	}
	large := doc("_id", "x", "a", numbers(docdb.MaxIndexEntries))
	fs.mu.Lock()
	written := make(chan error, 1)
	go func() { written <- hostile.Insert(bg, large) }()
	held := &hostile.(collection).coll(t).Locks
	await(t, "all keys are held", func() bool { return held.Len() > docdb.MaxIndexEntries })
	for i := range 200 {
		if _, err := other.Get(bg, rawValue(int32(i))); err != nil { // would never return
			t.Error(err)
		}
	}
	if err := other.Replace(bg, rawValue(int32(1)), docdb.Eq("none", 1), doc("_id", 1)); !errors.Is(err, docdb.ErrNoMatch) {
		t.Errorf("a write that has nothing to do answers %v", err)
	}
	ctx, cancel := context.WithTimeout(bg, 20*time.Millisecond)
	defer cancel()
	if _, err := hostile.Get(ctx, docdb.StringID("x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a Get of the document that is not on disk answers %v", err)
	}
	if err := hostile.Insert(ctx, doc("_id", "y", "a", 7)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an Insert of a key that is being taken answers %v", err)
	}
	fs.mu.Unlock()
	if err := <-written; err != nil {
		t.Error(err)
	}
}

// TestWritesOfOthersWhileHostileDocumentsAreWritten measures. A machine that does many other things
// must not make it fail, so it asks for little: what it is about once took two seconds.
func TestWritesOfOthersWhileHostileDocumentsAreWritten(t *testing.T) {
	e := open(t, Config{})
	hostile := newCollection(t, e)
	mustIndex(t, hostile, docdb.Index{Name: "u", Keys: keyOn("a"), Unique: true})
	if err := e.Database("db").Create(bg, "other"); err != nil {
		t.Fatal(err)
	}
	other := e.Database("db").Collection("other")
	n := 0
	measure := func() (p50, p99 time.Duration) {
		var took []time.Duration
		for end := time.Now().Add(time.Second); time.Now().Before(end); n++ {
			began := time.Now()
			mustInsert(t, other, doc("_id", n))
			if _, err := other.Get(bg, rawValue(int32(n))); err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return took[len(took)/2], took[len(took)*99/100]
	}
	quiet50, quiet99 := measure()
	var stop atomic.Bool
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				id := fmt.Sprint(w, "-", i)
				list := numbers(docdb.MaxIndexEntries / 2)
				for j := range list {
					list[j] = fmt.Sprint(id, "-", j)
				}
				if err := hostile.Insert(bg, doc("_id", id, "a", list)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	p50, p99 := measure()
	stop.Store(true)
	wg.Wait()
	t.Logf("quiet: p50 %s, p99 %s; beside hostile documents: p50 %s, p99 %s", quiet50, quiet99, p50, p99)
	if p99 > time.Second {
		t.Errorf("the p99 of others is %s", p99)
	}
}
