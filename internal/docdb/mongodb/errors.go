package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/orgd/orgd/internal/docdb"
)

// The server's error codes that mean something here, as in its error_codes.yml.
const (
	codeBadValue             = 2
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
	codeNamespaceNotFound    = 26
	codeIndexNotFound        = 27
	codeCursorNotFound       = 43
	codeNamespaceExists      = 48
	codeCommandNotFound      = 59
	codeInvalidOptions       = 72
	codeAtlas                = 8000 // what Atlas' own proxies refuse
)

// sentinels maps codes whose meaning does not depend on what was called.
var sentinels = map[int]error{
	codeNamespaceExists: docdb.ErrExists,
	85:                  docdb.ErrExists, // IndexOptionsConflict
	86:                  docdb.ErrExists, // IndexKeySpecsConflict
	68:                  docdb.ErrExists, // IndexAlreadyExists

	codeNamespaceNotFound: docdb.ErrNoCollection,
	codeIndexNotFound:     docdb.ErrNotFound,

	10334: docdb.ErrTooLarge, // BSONObjectTooLarge
	17280: docdb.ErrTooLarge, // a key too large for an index, before 4.2
	17419: docdb.ErrTooLarge, // the document an update results in
	17420: docdb.ErrTooLarge,

	121: docdb.ErrInvalid, // DocumentValidationFailure: a rule that was set on the collection
	15:  docdb.ErrInvalid, // Overflow: nested too deep
	22:  docdb.ErrInvalid, // InvalidBSON
	52:  docdb.ErrInvalid, // DollarPrefixedFieldName
	53:  docdb.ErrInvalid, // InvalidIdField
	66:  docdb.ErrInvalid, // ImmutableField: another _id
	67:  docdb.ErrInvalid, // CannotCreateIndex
	73:  docdb.ErrInvalid, // InvalidNamespace
	171: docdb.ErrInvalid, // CannotIndexParallelArrays
	201: docdb.ErrInvalid, // CannotBuildIndexKeys: a document has too many keys

	16746: docdb.ErrInvalid, // a part of an index's path is an index of an array and a name in it

	codeUnauthorized: docdb.ErrForbidden,
	codeAtlas:        docdb.ErrForbidden,

	// A command, or a part of one, that the server does not know, and so does not begin.
	codeCommandNotFound: docdb.ErrUnsupported,
	codeInvalidOptions:  docdb.ErrUnsupported,
	9:                   docdb.ErrUnsupported, // FailedToParse
	14:                  docdb.ErrUnsupported, // TypeMismatch
	20:                  docdb.ErrUnsupported, // IllegalOperation: also a transaction number, on some topologies
	115:                 docdb.ErrUnsupported, // CommandNotSupported
	238:                 docdb.ErrUnsupported, // NotImplemented
	323:                 docdb.ErrUnsupported, // APIStrictError
	40415:               docdb.ErrUnsupported, // an unknown field
}

// advice says what to do about a code that whoever runs the program can do something about.
func advice(code int) string {
	switch sentinels[code] {
	case docdb.ErrForbidden:
		return ": the user of the connection string may not do that: it needs the roles readWrite and dbAdmin on this database"
	case docdb.ErrUnsupported:
		return ": the server lacks what this needs, or has it switched off"
	}
	return ""
}

// duplicateCodes: 11000 is all that servers since 3.0 send; the others are kept
// because the driver counts them too. So do compatible servers.
var duplicateCodes = map[int]bool{11000: true, 11001: true, 12582: true}

// conflictCodes say that nothing was done because of something else under way.
var conflictCodes = map[int]bool{
	112:   true, // WriteConflict
	117:   true, // ConflictingOperationInProgress: two DDL commands, on a sharded cluster
	12586: true, // BackgroundOperationInProgressForDatabase
	12587: true, // BackgroundOperationInProgressForNamespace
	24:    true, // LockTimeout
	46:    true, // LockBusy
}

// notPrimaryCodes are answered before a command begins.
var notPrimaryCodes = map[int]bool{
	10107: true, // NotWritablePrimary
	13435: true, // NotPrimaryNoSecondaryOk
	10058: true, // LegacyNotPrimary
}

// interruptedCodes are answered to a command that may have begun: on the member
// itself, or behind a mongos that lost touch with it.
var interruptedCodes = map[int]bool{
	6:     true, // HostUnreachable
	7:     true, // HostNotFound
	50:    true, // MaxTimeMSExpired
	64:    true, // WriteConcernFailed
	79:    true, // UnknownReplWriteConcern
	89:    true, // NetworkTimeout
	91:    true, // ShutdownInProgress
	100:   true, // UnsatisfiableWriteConcern
	133:   true, // FailedToSatisfyReadPreference
	134:   true, // ReadConcernMajorityNotAvailableYet
	175:   true, // QueryPlanKilled
	189:   true, // PrimarySteppedDown
	202:   true, // NetworkInterfaceExceededTimeLimit
	237:   true, // CursorKilled
	262:   true, // ExceededTimeLimit
	9001:  true, // SocketException
	11600: true, // InterruptedAtShutdown
	11601: true, // Interrupted
	11602: true, // InterruptedDueToReplStateChange
	13436: true, // NotPrimaryOrSecondary
}

// answers are what the functions that a call runs return themselves.
var answers = []error{
	docdb.ErrNotFound, docdb.ErrNoMatch, docdb.ErrDuplicate, docdb.ErrExists, docdb.ErrNoCollection,
	docdb.ErrNoIndex, docdb.ErrTooLarge, docdb.ErrInvalid, docdb.ErrUnavailable, docdb.ErrOutcomeUnknown, docdb.ErrClosed,
	docdb.ErrForbidden, docdb.ErrUnsupported,
}

// isAnswer reports whether an error is one of ours that a call already made.
func isAnswer(err error) bool {
	var f *fault
	return errors.As(err, &f) || slices.ContainsFunc(answers, func(answer error) bool { return errors.Is(err, answer) })
}

// fault is an error of this package.
type fault struct {
	is    error  // the sentinel; nil: none fits
	cause error  // the caller's context error, nil if it had no part in it
	text  string // without values of documents and without credentials
}

// Error implements error.
func (f *fault) Error() string {
	if f.is == nil {
		return "mongodb: " + f.text
	}
	return f.is.Error() + ": " + f.text
}

// Unwrap lets errors.Is find the sentinel and the context's error.
func (f *fault) Unwrap() []error {
	var errs []error
	for _, err := range []error{f.is, f.cause} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// readFault turns the driver's error of a call that changes nothing into ours.
func (e *Engine) readFault(ctx context.Context, what string, err error) error {
	if err == nil || isAnswer(err) {
		return err
	}
	code := codeOf(err)
	f := &fault{is: sentinels[code], cause: callersEnd(ctx, err), text: e.describe(what, err)}
	switch {
	case errors.Is(err, mongo.ErrClientDisconnected):
		f.is = docdb.ErrClosed
	case f.is != nil:
	case code == 0 || code == codeCursorNotFound || code == codeAuthenticationFailed || interruptedCodes[code] ||
		notPrimaryCodes[code] || conflictCodes[code] || hasLabel(err, labelNetwork) || hasLabel(err, labelOverloaded):
		f.is = docdb.ErrUnavailable
	}
	return f
}

// writeFault turns the driver's error of a call that changes something into
// ours; tries is what became of its attempts.
func (e *Engine) writeFault(ctx context.Context, what string, tries *attempts, err error) error {
	switch {
	case err == nil:
		return nil
	case tries.lost:
		// Also for an answer that is clear in itself: see Outcomes.
		return &fault{is: docdb.ErrOutcomeUnknown, cause: writersEnd(ctx, err), text: e.describe(what, err)}
	case isAnswer(err):
		return err
	}
	f := &fault{cause: writersEnd(ctx, err), text: e.describe(what, err)}
	f.is = writeSentinel(err, tries.answered)
	return f
}

// writeSentinel maps the error of a write none of whose attempts was lost.
func writeSentinel(err error, answered bool) error {
	var we mongo.WriteException
	code := codeOf(err)
	switch {
	case errors.Is(err, mongo.ErrClientDisconnected):
		return docdb.ErrClosed
	case errors.As(err, &we) && len(we.WriteErrors) == 0:
		// Executed, but not known to be on a majority.
		return docdb.ErrOutcomeUnknown
	case code == 0 && answered:
		// Something went wrong with an answer, so after the fact.
		return docdb.ErrOutcomeUnknown
	case sentinels[code] != nil:
		return sentinels[code]
	case duplicateCodes[code]:
		return docdb.ErrDuplicate // callers that can name the index did so before
	case code == 0, code == codeAuthenticationFailed, notPrimaryCodes[code], conflictCodes[code],
		hasLabel(err, labelNoWrites), hasLabel(err, labelOverloaded) && hasLabel(err, labelRetryable):
		// Without a code, and with no attempt lost, nothing was sent: no server
		// was found, no connection could be had, or the time was up before.
		return docdb.ErrUnavailable
	case interruptedCodes[code], hasLabel(err, labelRetryableWrite):
		return docdb.ErrOutcomeUnknown
	default:
		return nil
	}
}

// callersEnd returns the error of the caller's context if that is why the call
// failed. The engine's own timeout is not the caller's deadline.
func callersEnd(ctx context.Context, err error) error {
	if end := ctx.Err(); end != nil {
		return end
	}
	// The driver gives up a little before a deadline that leaves no time for the answer.
	if _, ok := ctx.Deadline(); ok && errors.Is(err, context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return nil
}

// writersEnd is callersEnd for a write, which the caller's deadline ends and nothing else.
func writersEnd(ctx context.Context, err error) error {
	if deadline, ok := ctx.Deadline(); ok && (errors.Is(err, context.DeadlineExceeded) || !time.Now().Before(deadline)) {
		return context.DeadlineExceeded
	}
	return nil
}

// describe says what failed: of the server's answers the code and its name only,
// since their texts quote keys; of the driver's own errors the text.
func (e *Engine) describe(what string, err error) string {
	if isAnswer(err) {
		return what + ": " + err.Error()
	}
	var we mongo.WriteException
	var ce mongo.CommandError
	code := codeOf(err)
	switch {
	case errors.As(err, &we) && len(we.WriteErrors) == 0 && we.WriteConcernError != nil:
		return fmt.Sprintf("%s: write concern: MongoDB error %d", what, we.WriteConcernError.Code)
	case errors.As(err, &ce) && code != 0 && isName(ce.Name):
		return fmt.Sprintf("%s: MongoDB error %d (%s)%s", what, code, ce.Name, advice(code))
	case code != 0:
		return fmt.Sprintf("%s: MongoDB error %d%s", what, code, advice(code))
	default:
		return what + ": " + e.secrets.line(err.Error())
	}
}

// isName reports whether a text looks like the name of a code.
func isName(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return s != "" && len(s) < 64
}

// keyPattern returns the keys of the index that an error of code 11000 is about,
// nil if the server did not say.
func keyPattern(raw bson.Raw) bson.Raw {
	doc, ok := raw.Lookup("keyPattern").DocumentOK()
	if !ok {
		return nil
	}
	return doc
}
