package fair_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
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
		q := fair.NewQueue(1, 0)
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
	q := fair.NewQueue(places, 0)
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
		q := fair.NewQueue(1, 0)
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

// TestSparePlacesAreForWhoIsAlone: a key has all places while there is nothing to do for any
// other, and gives the spare one back at its next rest when there is.
func TestSparePlacesAreForWhoIsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := fair.NewQueue(1, 1)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		begin := func(key string) *fair.Work {
			w := new(fair.Work)
			w.Begin(q, key)
			w.Active()
			return w
		}
		long := begin("long")
		one, two, three := long.Turn(), long.Turn(), long.Turn()
		if err := errors.Join(one.Take(ended), two.Take(ended)); err != nil {
			t.Fatalf("alone, it has not all places: %v", err)
		}
		if err := three.Take(ended); err == nil {
			t.Fatal("there are more places than there were")
		}
		time.Sleep(time.Minute)
		if err := errors.Join(one.Rest(ended), two.Rest(ended)); err != nil {
			t.Errorf("still alone, it has to wait: %v", err)
		}
		begin("another")
		begin("long") // its own requests change nothing
		if err := one.Rest(ended); err != nil {
			t.Errorf("its place was taken: %v", err)
		}
		if err := two.Rest(ended); err == nil {
			t.Error("beside another it keeps the spare place")
		}
		if err := begin("another").Turn().Take(ended); err == nil {
			t.Error("beside another there is a spare place")
		}
		time.Sleep(time.Second)
		if err := three.Take(ended); err != nil {
			t.Errorf("alone again, it has to wait: %v", err)
		}
		one.Done()
		three.Done()
		if err := errors.Join(one.Take(ended), three.Take(ended)); err != nil {
			t.Errorf("a place was lost: %v", err)
		}
	})
}

// TestProcessors: there is a place, and where there are several processors a spare one.
func TestProcessors(t *testing.T) {
	places, spare := fair.Processors()
	if procs := min(runtime.NumCPU(), runtime.GOMAXPROCS(0)); places < 1 || places+spare != procs || procs > 1 && spare < 1 {
		t.Errorf("%d places and %d spare ones", places, spare)
	}
}
