package outcome

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/orgd/orgd/internal/docdb"
)

// secretText is in the server's messages below and must be in none of ours.
const secretText = "jane@example.com"

func command(code int32, labels ...string) error {
	return mongo.CommandError{Code: code, Name: "Name", Message: "dup key: " + secretText, Labels: labels}
}

func writeError(code int) error {
	return mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: code, Message: "dup key: " + secretText}}}
}

func concernError(code int) error {
	return mongo.WriteException{WriteConcernError: &mongo.WriteConcernError{Code: code, Message: secretText}}
}

var network = mongo.CommandError{Labels: []string{labelNetwork}, Message: "connection reset",
	Wrapped: driver.Error{Message: "connection reset", Labels: []string{labelNetwork}}}

func TestFaults(t *testing.T) {
	lost := Attempts{Lost: true}
	answered := Attempts{Answered: true}
	for name, test := range map[string]struct {
		err         error
		tries       Attempts
		read, write error // nil: an error that is none of docdb's
	}{
		"namespace exists":           {err: command(48), read: docdb.ErrExists, write: docdb.ErrExists},
		"namespace not found":        {err: command(26), read: docdb.ErrNoCollection, write: docdb.ErrNoCollection},
		"index not found":            {err: command(27), read: docdb.ErrNotFound, write: docdb.ErrNotFound},
		"index options conflict":     {err: command(85), read: docdb.ErrExists, write: docdb.ErrExists},
		"index key specs conflict":   {err: command(86), read: docdb.ErrExists, write: docdb.ErrExists},
		"too large":                  {err: writeError(10334), read: docdb.ErrTooLarge, write: docdb.ErrTooLarge},
		"key too long":               {err: writeError(17280), read: docdb.ErrTooLarge, write: docdb.ErrTooLarge},
		"parallel arrays":            {err: writeError(171), read: docdb.ErrInvalid, write: docdb.ErrInvalid},
		"another _id":                {err: writeError(66), read: docdb.ErrInvalid, write: docdb.ErrInvalid},
		"conflict, to the last":      {err: writeError(112), read: docdb.ErrUnavailable, write: docdb.ErrUnavailable},
		"conflict of a command":      {err: command(112), read: docdb.ErrUnavailable, write: docdb.ErrUnavailable},
		"time over on the server":    {err: command(50), read: docdb.ErrUnavailable, write: docdb.ErrOutcomeUnknown},
		"write concern timed out":    {err: concernError(64), read: docdb.ErrUnavailable, write: docdb.ErrOutcomeUnknown},
		"stepped down meanwhile":     {err: concernError(189), read: docdb.ErrUnavailable, write: docdb.ErrOutcomeUnknown},
		"not the primary":            {err: command(10107), read: docdb.ErrUnavailable, write: docdb.ErrUnavailable},
		"stepped down":               {err: command(189), read: docdb.ErrUnavailable, write: docdb.ErrOutcomeUnknown},
		"stepped down, nothing done": {err: command(189, labelNoWrites), read: docdb.ErrUnavailable, write: docdb.ErrUnavailable},
		"shutting down":              {err: command(91), read: docdb.ErrUnavailable, write: docdb.ErrOutcomeUnknown},
		"overloaded":                 {err: command(462, labelOverloaded, labelRetryable), read: docdb.ErrUnavailable, write: docdb.ErrUnavailable},
		"retryable, who knows why":   {err: command(999, labelRetryableWrite), write: docdb.ErrOutcomeUnknown},
		"cursor not found":           {err: command(43), read: docdb.ErrUnavailable},
		"no authentication":          {err: command(18), read: docdb.ErrUnavailable, write: docdb.ErrUnavailable},
		"not authorized":             {err: command(13), read: docdb.ErrForbidden, write: docdb.ErrForbidden},
		"refused by Atlas":           {err: command(8000), read: docdb.ErrForbidden, write: docdb.ErrForbidden},
		"no such command":            {err: command(59), read: docdb.ErrUnsupported, write: docdb.ErrUnsupported},
		"not supported":              {err: command(115), read: docdb.ErrUnsupported, write: docdb.ErrUnsupported},
		"lost, then not authorized":  {err: command(13), tries: lost, read: docdb.ErrForbidden, write: docdb.ErrOutcomeUnknown},
		"nobody knows what":          {err: command(123456)},
		"no server found":            {err: topology.ServerSelectionError{Wrapped: context.DeadlineExceeded}, read: docdb.ErrUnavailable, write: docdb.ErrUnavailable},
		"no connection to be had":    {err: topology.WaitQueueTimeoutError{Wrapped: context.DeadlineExceeded}, read: docdb.ErrUnavailable, write: docdb.ErrUnavailable},
		"no connection made":         {err: topology.ConnectionError{Wrapped: errors.New("refused")}, read: docdb.ErrUnavailable, write: docdb.ErrUnavailable},
		"connection lost":            {err: network, tries: lost, read: docdb.ErrUnavailable, write: docdb.ErrOutcomeUnknown},
		"lost, then not the primary": {err: command(10107), tries: lost, read: docdb.ErrUnavailable, write: docdb.ErrOutcomeUnknown},
		"lost, then no match":        {err: docdb.ErrNoMatch, tries: lost, read: docdb.ErrNoMatch, write: docdb.ErrOutcomeUnknown},
		"lost, then duplicate":       {err: &docdb.DuplicateError{Index: "x"}, tries: lost, read: docdb.ErrDuplicate, write: docdb.ErrOutcomeUnknown},
		"lost, then time over":       {err: context.DeadlineExceeded, tries: lost, read: docdb.ErrUnavailable, write: docdb.ErrOutcomeUnknown},
		"time over before":           {err: context.DeadlineExceeded, read: docdb.ErrUnavailable, write: docdb.ErrUnavailable},
		"answer not understood":      {err: errors.New("cursor"), tries: answered, read: docdb.ErrUnavailable, write: docdb.ErrOutcomeUnknown},
		"disconnected":               {err: mongo.ErrClientDisconnected, read: docdb.ErrClosed, write: docdb.ErrClosed},
		"no match":                   {err: docdb.ErrNoMatch, read: docdb.ErrNoMatch, write: docdb.ErrNoMatch},
		"duplicate":                  {err: &docdb.DuplicateError{Index: "x"}, read: docdb.ErrDuplicate, write: docdb.ErrDuplicate},
	} {
		t.Run(name, func(t *testing.T) {
			e := Translator{}
			check(t, "read", e.Read(t.Context(), "read", test.err), test.read)
			check(t, "write", e.Write(t.Context(), "write", &test.tries, test.err), test.write)
		})
	}
}

func check(t *testing.T, what string, err, want error) {
	t.Helper()
	for _, answer := range answers {
		if is := errors.Is(err, answer); is != (answer == want) {
			t.Errorf("%s: %v: is %v: %t", what, err, answer, is)
		}
	}
	if strings.Contains(err.Error(), secretText) {
		t.Errorf("%s: the error shows a key: %v", what, err)
	}
}

func TestFaultsKeepTheCallersContext(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	passed, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	soon, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	late := fmt.Errorf("not sent: %w", context.DeadlineExceeded)
	for name, test := range map[string]struct {
		ctx         context.Context
		err         error
		read, write error
	}{
		"cancelled":                         {cancelled, network, context.Canceled, nil},
		"deadline passed":                   {passed, network, context.DeadlineExceeded, context.DeadlineExceeded},
		"the driver gave up just before it": {soon, late, context.DeadlineExceeded, context.DeadlineExceeded},
		"the engine's timeout, not theirs":  {t.Context(), late, nil, nil},
		"a lost connection with time to go": {soon, network, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			e := Translator{}
			for err, want := range map[error]error{
				e.Read(test.ctx, "read", test.err):                               test.read,
				e.Write(test.ctx, "write", &Attempts{}, test.err):                test.write,
				e.Write(test.ctx, "lost write", &Attempts{Lost: true}, test.err): test.write,
			} {
				for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
					if is := errors.Is(err, end); is != (end == want) {
						t.Errorf("%v: is %v: %t", err, end, is)
					}
				}
				if !errors.Is(err, docdb.ErrUnavailable) && !errors.Is(err, docdb.ErrOutcomeUnknown) {
					t.Errorf("%v has no sentinel", err)
				}
			}
		})
	}
}

func TestMayHaveRun(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"connection lost":            {driver.Error{Labels: []string{labelNetwork}, Wrapped: context.Canceled}, true},
		"context over before":        {context.Canceled, false},
		"no time for a round trip":   {driver.ErrDeadlineWouldBeExceeded, false},
		"not the primary":            {driver.Error{Code: 10107}, false},
		"stepped down":               {driver.Error{Code: 189}, true},
		"stepped down, nothing done": {driver.Error{Code: 189, Labels: []string{labelNoWrites}}, false},
		"conflict":                   {driver.Error{Code: 112}, false},
		"not understood":             {errors.New("malformed wire message"), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mayHaveRun(test.err); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestRetryConflicts(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		until  int // the call that succeeds
		calls  int
		failed bool
	}{
		"at once":           {err: command(112), until: 1, calls: 1},
		"after a conflict":  {err: command(112), until: 2, calls: 2},
		"of a write":        {err: writeError(112), until: 3, calls: 3},
		"never":             {err: command(112), until: 1000, calls: MaxTries, failed: true},
		"another error":     {err: command(48), until: 1000, calls: 1, failed: true},
		"the write concern": {err: concernError(64), until: 1000, calls: 1, failed: true},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			err := RetryConflicts(t.Context(), func() error {
				if calls++; calls == test.until {
					return nil
				}
				return test.err
			})
			if calls != test.calls || (err != nil) != test.failed {
				t.Errorf("got %d calls and %v", calls, err)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		err := RetryConflicts(ctx, func() error { calls++; cancel(); return command(112) })
		if calls != 1 || err == nil {
			t.Errorf("got %d calls and %v", calls, err)
		}
	})
}
