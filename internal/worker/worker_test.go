package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd/internal/worker"
)

func TestRunsAtOnceAndThenAfterEveryPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		var at []time.Duration
		go func() { time.Sleep(25 * time.Second); cancel() }()
		worker.Run(ctx, slog.New(slog.DiscardHandler), worker.Job{Name: "j", Every: 10 * time.Second,
			Do: func(context.Context) error { at = append(at, time.Since(start)); return nil }})
		if diff := cmp.Diff([]time.Duration{0, 10 * time.Second, 20 * time.Second}, at); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWaitsLongerAfterEachFailureAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		var at []time.Duration
		worker.Run(ctx, slog.New(slog.DiscardHandler), worker.Job{Name: "j", Every: time.Second,
			Do: func(context.Context) error {
				at = append(at, time.Since(start)/time.Second)
				switch len(at) {
				case 1, 2:
					return errors.New("down")
				case 5:
					cancel()
				}
				return nil
			}})
		// Pauses: 2, 4, then 1 after each success.
		if diff := cmp.Diff([]time.Duration{0, 2, 6, 7, 8}, at); diff != "" {
			t.Error(diff)
		}
	})
}

func TestReturnsOnlyWhenEveryJobHasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		stopped := 0
		job := worker.Job{Every: time.Hour, Do: func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Minute)
			stopped++
			return ctx.Err()
		}}
		worker.Run(ctx, slog.New(slog.DiscardHandler), job)
		if stopped != 1 {
			t.Errorf("stopped = %d, want 1", stopped)
		}
	})
}
