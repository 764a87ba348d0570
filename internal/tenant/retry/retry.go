// Package retry repeats calls that the storage did not answer.
package retry

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/orgd/orgd/internal/docdb"
)

// How often and how long Do tries: about three seconds in all, which bridges
// a short stall of the storage; an election of a new primary is bridged by the
// driver's own server selection. A try that itself waited longer than that is the
// last: seven of them would keep a client waiting for more than a minute.
const (
	retries    = 6
	firstPause = 50 * time.Millisecond
	retryFor   = 4 * time.Second
)

// Do calls f again if the storage may answer the next time. f must be repeatable, since after an unknown
// outcome it may be carried out twice.
func Do(ctx context.Context, f func() error) error {
	return again(ctx, f, docdb.ErrUnavailable, docdb.ErrOutcomeUnknown)
}

// Undone is Do for calls that must not be carried out twice: it repeats them only if nothing was done.
func Undone(ctx context.Context, f func() error) error {
	return again(ctx, f, docdb.ErrUnavailable)
}

func again(ctx context.Context, f func() error, on ...error) error {
	wait, began := firstPause, time.Now()
	for try := 0; ; try++ {
		err := f()
		may := slices.ContainsFunc(on, func(is error) bool { return errors.Is(err, is) }) &&
			!errors.Is(err, docdb.ErrNoSpace) // for which the operator has to make room
		if !may || try == retries || time.Since(began) > retryFor {
			return err
		}
		if Pause(ctx, wait) != nil {
			return err
		}
		wait *= 2
	}
}

// Pause waits for d, or for ctx, whose error it then returns.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
