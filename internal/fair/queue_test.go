package fair_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orgd/orgd/internal/fair"
)

// TestKeysTakeTurns: one key asks a hundred times before two others ask once.
func TestKeysTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := fair.NewQueue(1)
		if err := q.Enter(t.Context(), "greedy"); err != nil {
			t.Fatal(err)
		}
		var order []string
		var all sync.WaitGroup
		ask := func(key string) {
			all.Go(func() {
				if err := q.Enter(t.Context(), key); err != nil {
					t.Error(err)
				}
				order = append(order, key)
				q.Leave()
			})
			synctest.Wait()
		}
		for range 100 {
			ask("greedy")
		}
		ask("modest")
		ask("humble")
		if q.Waiting() != 102 {
			t.Errorf("%d wait", q.Waiting())
		}
		q.Leave()
		all.Wait()
		if order[1] != "modest" || order[2] != "humble" || len(order) != 102 || q.Waiting() != 0 {
			t.Errorf("the order was %v", order)
		}
	})
}

// TestPlacesAreNeitherLostNorShared: many enter, and some of them give up at any moment.
func TestPlacesAreNeitherLostNorShared(t *testing.T) {
	const places = 3
	q := fair.NewQueue(places)
	var in, most atomic.Int64
	var all sync.WaitGroup
	for g := range 16 {
		all.Go(func() {
			for range 500 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(200))*time.Microsecond)
				if err := q.Enter(ctx, fmt.Sprint(g%5)); err == nil {
					if n := in.Add(1); n > most.Load() {
						most.Store(n)
					}
					time.Sleep(time.Duration(rand.IntN(50)) * time.Microsecond)
					in.Add(-1)
					q.Leave()
				} else if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	all.Wait()
	if most.Load() > places {
		t.Errorf("%d were in at a time", most.Load())
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range places { // all are free again
		if err := q.Enter(ended, "last"); err != nil {
			t.Error(err)
		}
	}
	if err := q.Enter(ended, "last"); err == nil {
		t.Error("there are more places than there were")
	}
}

// TestShortWorkGoesBeforeLong: who works for less than a millisecond does not wait.
func TestShortWorkGoesBeforeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := fair.NewQueue(1)
		turn := func(key string) *fair.Turn {
			var w fair.Work
			w.Begin(q, key)
			return w.Turn()
		}
		long, short, other := turn("long"), turn("short"), turn("other")
		work := func(turn *fair.Turn, d time.Duration) {
			for began := time.Now(); time.Since(began) < d; time.Sleep(100 * time.Microsecond) {
				if err := turn.Rest(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
		work(long, 10*time.Millisecond) // alone, it goes on
		began := time.Now()
		work(short, 900*time.Microsecond)
		if took := time.Since(began); took > time.Millisecond {
			t.Errorf("short work took %v", took)
		}
		short.Done()
		done := make(chan time.Duration)
		go func() {
			began := time.Now()
			work(other, 2*time.Millisecond)
			other.Done()
			done <- time.Since(began)
		}()
		synctest.Wait()
		work(long, 20*time.Millisecond)
		if took := <-done; took > 10*time.Millisecond {
			t.Errorf("work of two milliseconds took %v beside long work", took)
		}
		long.Done()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := q.Enter(ended, "x"); err != nil {
			t.Error("a place was lost")
		}
		if err := long.Take(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("without a place it goes on: %v", err)
		}
	})
}
