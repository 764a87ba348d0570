package mongodb

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// attempts tells what became of the driver's attempts at one write. The error
// that the driver returns in the end does not: it may be that of a second
// attempt, or a bare context error with or without a command on the wire.
//
// The driver's command monitor is called in the goroutine of the write, so there
// is no lock. Its event for what is sent is not asked for: the driver would copy
// every command for it.
type attempts struct {
	// lost: an attempt was sent, and whether it was executed is not known.
	lost bool
	// answered: an attempt got an answer that is not a failure of the command.
	answered bool
}

type attemptsKey struct{}

// watch returns a context under which the driver's attempts are noted.
func (a *attempts) watch(ctx context.Context) context.Context {
	return context.WithValue(ctx, attemptsKey{}, a)
}

// attemptsOf returns what is noted under a context that watch returned.
func attemptsOf(ctx context.Context) *attempts {
	if a, ok := ctx.Value(attemptsKey{}).(*attempts); ok {
		return a
	}
	return &attempts{}
}

// attemptMonitor notes attempts. An answer with write errors, or with an error of
// the write concern, counts as a success here: it is an answer.
var attemptMonitor = &event.CommandMonitor{
	Succeeded: func(ctx context.Context, e *event.CommandSucceededEvent) {
		if writeCommands[e.CommandName] {
			attemptsOf(ctx).answered = true
		}
	},
	Failed: func(ctx context.Context, e *event.CommandFailedEvent) {
		if writeCommands[e.CommandName] && mayHaveRun(e.Failure) {
			attemptsOf(ctx).lost = true
		}
	},
}

// joined is a monitor that tells two; the second may be nil, or lack a function.
func joined(first, second *event.CommandMonitor) *event.CommandMonitor {
	if second == nil {
		return first
	}
	both := &event.CommandMonitor{Started: second.Started, Succeeded: first.Succeeded, Failed: first.Failed}
	if second.Succeeded != nil {
		both.Succeeded = func(ctx context.Context, e *event.CommandSucceededEvent) {
			first.Succeeded(ctx, e)
			second.Succeeded(ctx, e)
		}
	}
	if second.Failed != nil {
		both.Failed = func(ctx context.Context, e *event.CommandFailedEvent) {
			first.Failed(ctx, e)
			second.Failed(ctx, e)
		}
	}
	return both
}

// writeCommands are those whose loss matters. Others (hello, saslStart) may run
// under the same context while a connection is made.
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
	if code := codeOf(err); code != 0 {
		return interruptedCodes[code] || hasLabel(err, labelRetryableWrite) && !notPrimaryCodes[code]
	}
	// The driver looks at the context before it sends. Anything else without a
	// code is an answer that could not be understood.
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// Labels of errors. A server that is overloaded refuses a command before it begins
// and says that it may be retried.
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
	conflictTries   = 10
	conflictBackoff = 2 * time.Millisecond
	conflictLimit   = 200 * time.Millisecond
)

// retryConflicts calls f again while the server answers that it did nothing
// because of another write or command under way, with growing, jittered pauses: about
// a second in all.
func retryConflicts(ctx context.Context, f func() error) error {
	for try := 1; ; try++ {
		err := f()
		if try == conflictTries || !conflictCodes[codeOf(err)] {
			return err
		}
		if !pause(ctx, try) {
			return err
		}
	}
}

// pause waits before the next try; it reports false when the context ends.
func pause(ctx context.Context, try int) bool {
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

// codeOf returns the server's code of a command's failure, or of a write's only
// error, or 0.
func codeOf(err error) int {
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

func hasCode(err error, code int) bool { return err != nil && codeOf(err) == code }
