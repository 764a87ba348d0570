// Package outcome tells what became of a call from what the driver returns: whether a write was
// done, was not done, or may have been done, and which of docdb's errors that is.
package outcome

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Attempts tells what became of the driver's attempts at one write. The error that the driver
// returns in the end does not tell: it may be that of a second attempt, or a bare context error
// with or without a command on the wire.
//
// The driver calls the command monitor in the goroutine of the write, so there is no lock. The
// monitor does not ask for the event of a command that is sent, for which the driver would copy
// every command.
type Attempts struct {
	// lost: an attempt was sent, and it is not known whether it was executed.
	Lost bool
	// answered: an attempt got an answer that is not a failure of the command.
	Answered bool
}

type attemptsKey struct{}

// Watch returns a context under which the driver's attempts are noted.
func (a *Attempts) Watch(ctx context.Context) context.Context {
	return context.WithValue(ctx, attemptsKey{}, a)
}

// AttemptsOf returns what is noted under a context that watch returned.
func AttemptsOf(ctx context.Context) *Attempts {
	if a, ok := ctx.Value(attemptsKey{}).(*Attempts); ok {
		return a
	}
	return &Attempts{}
}

// MonitorWith notes attempts, and tells next of all events; next may be nil, or lack a function.
func MonitorWith(next *event.CommandMonitor) *event.CommandMonitor {
	if next == nil {
		return monitor
	}
	both := &event.CommandMonitor{Started: next.Started, Succeeded: monitor.Succeeded, Failed: monitor.Failed}
	if next.Succeeded != nil {
		both.Succeeded = func(ctx context.Context, e *event.CommandSucceededEvent) {
			monitor.Succeeded(ctx, e)
			next.Succeeded(ctx, e)
		}
	}
	if next.Failed != nil {
		both.Failed = func(ctx context.Context, e *event.CommandFailedEvent) {
			monitor.Failed(ctx, e)
			next.Failed(ctx, e)
		}
	}
	return both
}

// monitor notes attempts. To the driver an answer with write errors, or with an error of the write
// concern, is a success.
var monitor = &event.CommandMonitor{
	Succeeded: func(ctx context.Context, e *event.CommandSucceededEvent) {
		if writeCommands[e.CommandName] {
			AttemptsOf(ctx).Answered = true
		}
	},
	Failed: func(ctx context.Context, e *event.CommandFailedEvent) {
		if writeCommands[e.CommandName] && mayHaveRun(e.Failure) {
			AttemptsOf(ctx).Lost = true
		}
	},
}

// writeCommands are the commands that change something. Others (hello, saslStart) may run under the
// same context while the driver connects.
var writeCommands = map[string]bool{
	"insert": true, "update": true, "delete": true,
	"create": true, "drop": true, "createIndexes": true, "dropIndexes": true, "collMod": true,
}

// mayHaveRun reports whether a failed attempt at a write may have been executed.
func mayHaveRun(err error) bool {
	if hasLabel(err, labelNoWrites) {
		return false
	}
	if hasLabel(err, labelNetwork) {
		return true
	}
	if code := Code(err); code != 0 {
		return interruptedCodes[code] || hasLabel(err, labelRetryableWrite) && !notPrimaryCodes[code]
	}
	// The driver checks the context before it sends. Any other error without a code
	// is about an answer that the driver did not understand.
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// Labels of errors. A server that is overloaded refuses a command before it begins, and labels the
// error as retryable.
const (
	labelNetwork        = "NetworkError"
	labelNoWrites       = "NoWritesPerformed"
	labelOverloaded     = "SystemOverloadedError"
	labelRetryable      = "RetryableError"
	labelRetryableWrite = "RetryableWriteError"
)

func hasLabel(err error, label string) bool {
	// Not mongo.LabeledError: events carry an internal type of the driver, which
	// has the method and little else.
	var labeled interface{ HasErrorLabel(string) bool }
	return errors.As(err, &labeled) && labeled.HasErrorLabel(label)
}

const (
	MaxTries        = 10
	conflictBackoff = 2 * time.Millisecond
	conflictLimit   = 200 * time.Millisecond
)

// RetryConflicts calls f again while the server answers that it did nothing because of another
// write or command in progress. It pauses between the calls, longer each time, for about a second in all.
func RetryConflicts(ctx context.Context, f func() error) error {
	for try := 1; ; try++ {
		err := f()
		if try == MaxTries || !conflictCodes[Code(err)] {
			return err
		}
		if !Pause(ctx, try) {
			return err
		}
	}
}

// Pause waits before the next try; it returns false if the context ends first.
func Pause(ctx context.Context, try int) bool {
	wait := min(conflictBackoff<<try, conflictLimit)
	timer := time.NewTimer(wait/2 + rand.N(wait/2))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Code returns the server's code for a command's failure or a write's first error; 0 if there is
// none.
func Code(err error) int {
	if err == nil {
		return 0
	}
	var we mongo.WriteException
	if errors.As(err, &we) && len(we.WriteErrors) > 0 {
		return we.WriteErrors[0].Code
	}
	codes := mongo.ErrorCodes(err)
	if len(codes) == 0 {
		return 0
	}
	return codes[0]
}

// HasCode reports whether the server's code for an error is code.
func HasCode(err error, code int) bool { return err != nil && Code(err) == code }

// Followed returns the context of a write that goes on to its outcome, or to its deadline, if its
// caller cancels it.
func Followed(ctx context.Context) (context.Context, context.CancelFunc) {
	sent := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(sent, deadline)
	}
	return context.WithCancel(sent)
}
