package locks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestLocks has holders of several keys each, some of which give up: no key is ever held
// by two, and in the end all have had their turn and nothing is left.
func TestLocks(t *testing.T) {
	var l Table
	var owners [8]atomic.Int32
	var wg sync.WaitGroup
	for w := range 16 {
		rng := rand.New(rand.NewPCG(uint64(w), 1))
		wg.Go(func() {
			for range 2000 {
				keys := make([]uint64, 1+rng.IntN(4))
				for i := range keys {
					keys[i] = rng.Uint64N(uint64(len(owners)))
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rng.IntN(50))*time.Microsecond)
				if rng.IntN(2) == 0 {
					ctx = context.Background()
				}
				h, err := l.Lock(ctx, slices.Clone(keys))
				cancel()
				if err != nil {
					continue
				}
				slices.Sort(keys)
				keys = slices.Compact(keys)
				for _, key := range keys {
					if owners[key].Add(1) != 1 {
						t.Errorf("the key %d has two owners", key)
					}
				}
				for _, key := range keys {
					owners[key].Add(-1)
				}
				l.Unlock(h)
				if err := l.Settle(context.Background(), keys[0]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if len(l.keys) > 0 {
		t.Errorf("there are %v", l.keys)
	}
}

func TestLocksAreGivenInTheOrderInWhichTheyWereAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Table
		first, err := l.Lock(t.Context(), []uint64{1, 2})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var order []string
		note := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, what)
		}
		ask := func(ctx context.Context, name string, keys ...uint64) {
			go func() {
				h, err := l.Lock(ctx, keys)
				if err != nil {
					note(name + " gave up")
					return
				}
				note(name)
				time.Sleep(time.Second)
				l.Unlock(h)
			}()
			synctest.Wait()
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ask(t.Context(), "a", 2, 3)
		ask(short, "b", 2)
		ask(t.Context(), "c", 3, 3)
		ask(t.Context(), "d", 1)
		ask(t.Context(), "e", 4) // which nobody has
		time.Sleep(2 * time.Second)
		l.Unlock(first)
		time.Sleep(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if got := fmt.Sprint(order); got != "[e b gave up a d c]" && got != "[e b gave up d a c]" {
			t.Errorf("the order is %s", got)
		}
	})
}

// TestALargeHoldLeavesNoMemory: a collection is remembered for long.
func TestALargeHoldLeavesNoMemory(t *testing.T) {
	var l Table
	keys := make([]uint64, 100_000)
	for i := range keys {
		keys[i] = uint64(i)
	}
	h, err := l.Lock(context.Background(), keys)
	if err != nil {
		t.Fatal(err)
	}
	l.Unlock(h)
	if l.keys != nil {
		t.Error("the map is still there")
	}
}
