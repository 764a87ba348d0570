// Package worker runs jobs in the background, again and again, until it is told
// to stop. It knows nothing of the work itself.
package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A Job is work that is repeated.
type Job struct {
	Name string
	// Every is the pause after a run. A run that failed is followed by a
	// longer one: twice as long each time, up to MaxPause.
	Every time.Duration
	// Do does the work that there is now. It must return soon after ctx ends.
	Do func(ctx context.Context) error
}

// MaxPause is the longest pause after failures. It bounds how long after an outage
// its consequences last.
const MaxPause = 30 * time.Second

// Run runs every job, the first time at once, each in its own goroutine, until
// ctx ends. It returns when all have stopped.
func Run(ctx context.Context, log *slog.Logger, jobs ...Job) {
	var all sync.WaitGroup
	for _, job := range jobs {
		all.Go(func() { loop(ctx, log, job) })
	}
	all.Wait()
}

func loop(ctx context.Context, log *slog.Logger, job Job) {
	pause := job.Every
	for {
		err := job.Do(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			pause = job.Every
		} else {
			pause = min(2*pause, max(MaxPause, job.Every))
			log.WarnContext(ctx, "background job failed", "job", job.Name, "error", err, "again_in", pause)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
