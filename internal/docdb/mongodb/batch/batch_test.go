package batch

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
)

// A pump answers every query with how much had been written when its batch was read.
type pump struct {
	Group[int, int64]
	written  atomic.Int64
	calls    atomic.Int64
	underWay atomic.Int64
}

func (p *pump) read() int64 {
	p.calls.Add(1)
	p.underWay.Add(1)
	defer p.underWay.Add(-1)
	v := p.written.Load()
	time.Sleep(time.Millisecond)
	return v
}

func (p *pump) ask(ctx context.Context, q int) (int64, error) {
	return p.Do(ctx, "n", q, 1, func() (int64, error) { return p.read(), nil }, func(batch []*Call[int, int64]) {
		v := p.read()
		for _, x := range batch {
			if x.Answer = v; x.Query < 0 {
				x.Err = errors.New("negative")
			}
		}
	})
}

func TestABatchAnswersEachAsIfAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pump{}
		var all sync.WaitGroup
		for i := range 200 {
			draw := rand.New(rand.NewPCG(uint64(i), 0))
			all.Go(func() {
				for range 50 {
					time.Sleep(time.Duration(draw.IntN(3000)) * time.Microsecond)
					before := p.written.Add(1)
					if v, err := p.ask(t.Context(), i); err != nil || v < before {
						t.Errorf("%d, %v: read before the call, which began at %d", v, err, before)
					}
				}
			})
		}
		all.Wait()
		synctest.Wait() // the last batch's goroutine looks once more whether anybody waits
		if n := p.calls.Load(); n >= 200*50/4 {
			t.Errorf("%d calls for %d requests", n, 200*50)
		}
		if len(p.queues) > 0 {
			t.Error("a queue is left when no call waits")
		}
	})
}

func TestALoneCallGoesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pump{}
		for range 3 {
			began := time.Now()
			if _, err := p.ask(t.Context(), 1); err != nil || time.Since(began) != time.Millisecond {
				t.Errorf("%s, %v", time.Since(began), err)
			}
		}
	})
}

func TestABatchHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b Group[int, int]
		var all sync.WaitGroup
		var sizes []int
		alone := func() (int, error) { time.Sleep(time.Millisecond); return 1, nil }
		for i := range 150 {
			size := 1
			if i >= 100 {
				size = maxBatchBytes / 2
			}
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Microsecond)
				if n, err := b.Do(t.Context(), "n", i, size, alone, func(batch []*Call[int, int]) {
					sizes = append(sizes, len(batch))
					for _, x := range batch {
						x.Answer = 1
					}
				}); n != 1 || err != nil {
					t.Error(n, err)
				}
			})
		}
		all.Wait()
		if got := fmt.Sprint(sizes[:3]); got != "[64 37 2]" {
			t.Errorf("batches of %v", sizes)
		}
	})
}

// hung returns a Group of which a call hangs until release is called.
func hung(t *testing.T) (b *Group[int, int], release func()) {
	b = &Group[int, int]{}
	end := make(chan struct{})
	go func() {
		_, _ = b.Do(context.Background(), "n", 0, 1, func() (int, error) { <-end; return 0, nil }, answerAll)
	}()
	synctest.Wait()
	return b, func() { close(end); synctest.Wait() }
}

func answerAll(batch []*Call[int, int]) {
	time.Sleep(time.Millisecond)
	for _, x := range batch {
		x.Answer = 2
	}
}

func TestACallThatHangsDoesNotHoldUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, release := hung(t)
		began := time.Now()
		n, err := b.Do(t.Context(), "n", 1, 1, func() (int, error) { return 1, nil }, answerAll)
		if n != 1 || err != nil || time.Since(began) != maxWait {
			t.Errorf("%d, %v after %s", n, err, time.Since(began))
		}
		if n, _ := b.Do(t.Context(), "other", 1, 1, func() (int, error) { return 3, nil }, answerAll); n != 3 {
			t.Error("another collection waits")
		}
		release()
	})
}

func TestACallThatGivesUpIsToldWhetherItsBatchHadBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, release := hung(t)
		var early, late error
		ctx, leave := context.WithCancel(t.Context())
		go func() { _, early = b.Do(ctx, "n", 1, 1, nil, answerAll) }()
		synctest.Wait()
		leave()
		synctest.Wait()
		if early != ErrNotBegun {
			t.Errorf("before it had begun: %v", early)
		}
		ctx, leave = context.WithCancel(t.Context())
		go func() { _, late = b.Do(ctx, "n", 1, 1, nil, answerAll) }()
		synctest.Wait()
		release() // the batch begins, and takes a millisecond
		leave()
		synctest.Wait()
		if late != ErrBegun {
			t.Errorf("after it had begun: %v", late)
		}
		time.Sleep(time.Second)
	})
}

func TestAWriteInABatchWaitsForItsOutcomeOrItsDeadline(t *testing.T) {
	for name, test := range map[string]struct {
		limit time.Duration // 0: none
		want  error
	}{
		"cancelled":                             {want: nil},
		"cancelled, with a deadline later":      {limit: time.Hour, want: nil},
		"cancelled, and then its deadline past": {limit: 100 * time.Microsecond, want: ErrBegun},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, release := hung(t)
				b.Writes = true
				ctx, leave := context.WithCancel(t.Context())
				if test.limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.limit)
					defer cancel()
				}
				var n int
				var err error
				var wg sync.WaitGroup
				wg.Go(func() { n, err = b.Do(ctx, "n", 1, 1, nil, answerAll) })
				synctest.Wait()
				release() // the batch begins, and takes a millisecond
				leave()
				wg.Wait()
				if err != test.want || err == nil && n != 2 {
					t.Errorf("got %d, %v", n, err)
				}
				time.Sleep(time.Second)
			})
		})
	}
}
