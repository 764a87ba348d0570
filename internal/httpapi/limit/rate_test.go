package limit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/org"
)

func TestRate(t *testing.T) {
	c := &clock{}
	l := NewRate(6, c.now) // one every ten seconds
	take := func(key string) time.Duration {
		if err := l.Take(key); err != nil {
			return err.(*org.Error).RetryAfter
		}
		return 0
	}
	for i := range 6 {
		if wait := take("a"); wait != 0 {
			t.Fatalf("attempt %d must wait %v", i, wait)
		}
	}
	for range 3 { // being refused costs nothing
		if wait := take("a"); wait != 10*time.Second {
			t.Fatalf("the seventh must wait %v, want 10s", wait)
		}
	}
	if wait := take("b"); wait != 0 {
		t.Errorf("another key must wait %v", wait)
	}
	c.advance(9500 * time.Millisecond)
	if wait := take("a"); wait != 500*time.Millisecond {
		t.Errorf("must wait %v, want 0.5s", wait)
	}
	c.advance(500 * time.Millisecond)
	if wait := take("a"); wait != 0 {
		t.Errorf("after ten seconds must wait %v", wait)
	}
	// Neither generation that ends on the way may forgive anything.
	for range 12 {
		c.advance(10 * time.Second)
		if first, second := take("a"), take("a"); first != 0 || second != 10*time.Second {
			t.Fatalf("at %v: %v then %v", c.now(), first, second)
		}
	}
}

func TestNoRate(t *testing.T) {
	var l *Rate
	if NewRate(0, time.Now) != nil || NewRate(-1, time.Now) != nil || l.Take("a") != nil {
		t.Error("0 must not limit anything")
	}
}

func TestLimitsForgetWhatRested(t *testing.T) {
	c := &clock{}
	l := NewRate(5, c.now)
	for i := range 1000 {
		_ = l.Take(fmt.Sprint(i))
	}
	for range 2 {
		c.advance(time.Minute)
		_ = l.Take("last")
	}
	if n := len(l.current) + len(l.previous); n > 2 {
		t.Errorf("%d keys are remembered", n)
	}
}

func TestAFloodOfKeysIsBounded(t *testing.T) {
	c := &clock{}
	l := NewRate(5, c.now)
	for i := range 5 * maxKeys {
		_ = l.Take(fmt.Sprint(i))
		if len(l.current)+len(l.previous) > 2*maxKeys {
			t.Fatalf("%d keys are remembered", len(l.current)+len(l.previous))
		}
	}
}

func TestLimitsAreSafeForConcurrentUse(t *testing.T) {
	c := &clock{}
	l := NewRate(100, c.now)
	var granted atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				if l.Take("shared") == nil {
					granted.Add(1)
				}
				_ = l.Take(fmt.Sprintf("own %d %d", g, i))
			}
		})
	}
	wg.Wait()
	if granted.Load() != 100 {
		t.Errorf("%d attempts granted, want 100", granted.Load())
	}
}

func TestGivingBack(t *testing.T) {
	c := &clock{}
	l := NewRate(2, c.now)
	twoAtOnce := func(key string) {
		t.Helper()
		for i, want := range []bool{true, true, false} {
			if got := l.Take(key) == nil; got != want {
				t.Fatalf("attempt %d at %s: %v", i, key, got)
			}
		}
	}
	for range 5 {
		twoAtOnce("a")
		l.give("a")
		l.give("a")
	}
	for range 3 { // more than was taken
		l.give("b")
	}
	twoAtOnce("b")
}
