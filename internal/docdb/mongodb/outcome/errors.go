package outcome

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb/connection"
)

// The server's error codes that this engine treats in a way of their own, as in MongoDB's
// error_codes.yml.
const (
	BadValue                 = 2
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
	NamespaceNotFound        = 26
	codeIndexNotFound        = 27
	codeCursorNotFound       = 43
	codeNamespaceExists      = 48
	CommandNotFound          = 59
	codeInvalidOptions       = 72
	codeAtlas                = 8000 // refused by Atlas' own proxies
)

// sentinels maps codes whose meaning does not depend on what was called.
var sentinels = map[int]error{
	codeNamespaceExists: docdb.ErrExists,
	85:                  docdb.ErrExists, // IndexOptionsConflict
	86:                  docdb.ErrExists, // IndexKeySpecsConflict
	68:                  docdb.ErrExists, // IndexAlreadyExists

	NamespaceNotFound: docdb.ErrNoCollection,
	codeIndexNotFound: docdb.ErrNotFound,

	10334: docdb.ErrTooLarge, // BSONObjectTooLarge
	17280: docdb.ErrTooLarge, // a key too large for an index, before 4.2
	17419: docdb.ErrTooLarge, // the document an update results in
	17420: docdb.ErrTooLarge,

	121: docdb.ErrInvalid, // DocumentValidationFailure: of the collection's validator
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

	// The server does not know the command, or a part of it, and so does not begin.
	CommandNotFound:    docdb.ErrUnsupported,
	codeInvalidOptions: docdb.ErrUnsupported,
	9:                  docdb.ErrUnsupported, // FailedToParse
	14:                 docdb.ErrUnsupported, // TypeMismatch
	20:                 docdb.ErrUnsupported, // IllegalOperation: also a transaction number, on some topologies
	115:                docdb.ErrUnsupported, // CommandNotSupported
	238:                docdb.ErrUnsupported, // NotImplemented
	323:                docdb.ErrUnsupported, // APIStrictError
	40415:              docdb.ErrUnsupported, // an unknown field
}

// advice says what the operator can do about a code.
func advice(code int) string {
	switch sentinels[code] {
	case docdb.ErrForbidden:
		return ": the user of the connection string may not do this: give it the roles readWrite and dbAdmin on this database"
	case docdb.ErrUnsupported:
		return ": the server lacks what this needs, or has it switched off"
	}
	return ""
}

// duplicateCodes say that a unique key is taken. MongoDB has sent only 11000 since 3.0; the driver
// takes the others for duplicates too, and so do compatible servers.
var duplicateCodes = map[int]bool{11000: true, 11001: true, 12582: true}

// conflictCodes say that nothing was done because of another write or command in progress.
var conflictCodes = map[int]bool{
	112:   true, // WriteConflict
	117:   true, // ConflictingOperationInProgress: two DDL commands, on a sharded cluster
	12586: true, // BackgroundOperationInProgressForDatabase
	12587: true, // BackgroundOperationInProgressForNamespace
	24:    true, // LockTimeout
	46:    true, // LockBusy
}

// notPrimaryCodes say that the server refused the command before it began.
var notPrimaryCodes = map[int]bool{
	10107: true, // NotWritablePrimary
	13435: true, // NotPrimaryNoSecondaryOk
	10058: true, // LegacyNotPrimary
}

// interruptedCodes say that the command may have begun: on the server itself, or behind a mongos
// that lost the connection to it.
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

// answers are the errors that a call's own code returns.
var answers = []error{
	docdb.ErrNotFound, docdb.ErrNoMatch, docdb.ErrDuplicate, docdb.ErrExists, docdb.ErrNoCollection,
	docdb.ErrNoIndex, docdb.ErrTooLarge, docdb.ErrInvalid, docdb.ErrUnavailable, docdb.ErrOutcomeUnknown, docdb.ErrClosed,
	docdb.ErrForbidden, docdb.ErrUnsupported,
}

// isAnswer reports whether an error is an Error or one of docdb's already.
func isAnswer(err error) bool {
	var f *Error
	return errors.As(err, &f) || slices.ContainsFunc(answers, func(answer error) bool { return errors.Is(err, answer) })
}

// Error is an error of a call, in docdb's terms.
type Error struct {
	Kind  error  // docdb's sentinel; nil if none fits
	Cause error  // the error of the caller's context, nil if the context was not the cause
	Text  string // without values of documents and without credentials
}

// Error implements error.
func (f *Error) Error() string {
	if f.Kind == nil {
		return "mongodb: " + f.Text
	}
	return f.Kind.Error() + ": " + f.Text
}

// Unwrap lets errors.Is find the sentinel and the context's error.
func (f *Error) Unwrap() []error {
	var errs []error
	for _, err := range []error{f.Kind, f.Cause} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// A Translator turns errors of the driver into docdb's.
type Translator struct{ Secrets connection.Secrets }

// Read turns the driver's error of a call that changes nothing into ours.
func (t Translator) Read(ctx context.Context, what string, err error) error {
	if err == nil || isAnswer(err) {
		return err
	}
	code := Code(err)
	f := &Error{Kind: sentinels[code], Cause: callersEnd(ctx, err), Text: t.Describe(what, err)}
	switch {
	case errors.Is(err, mongo.ErrClientDisconnected):
		f.Kind = docdb.ErrClosed
	case f.Kind != nil:
	case code == 0 || code == codeCursorNotFound || code == codeAuthenticationFailed || interruptedCodes[code] ||
		notPrimaryCodes[code] || conflictCodes[code] || hasLabel(err, labelNetwork) || hasLabel(err, labelOverloaded):
		f.Kind = docdb.ErrUnavailable
	}
	return f
}

// Write turns the driver's error of a call that changes something into
// ours; tries is what became of its attempts.
func (t Translator) Write(ctx context.Context, what string, tries *Attempts, err error) error {
	switch {
	case err == nil:
		return nil
	case tries.Lost:
		// Also for an answer that is clear in itself: see Outcomes.
		return &Error{Kind: docdb.ErrOutcomeUnknown, Cause: writersEnd(ctx, err), Text: t.Describe(what, err)}
	case isAnswer(err):
		return err
	}
	f := &Error{Cause: writersEnd(ctx, err), Text: t.Describe(what, err)}
	f.Kind = writeSentinel(err, tries.Answered)
	return f
}

// writeSentinel returns docdb's sentinel for a write of which no attempt was lost.
func writeSentinel(err error, answered bool) error {
	var we mongo.WriteException
	code := Code(err)
	switch {
	case errors.Is(err, mongo.ErrClientDisconnected):
		return docdb.ErrClosed
	case errors.As(err, &we) && len(we.WriteErrors) == 0:
		// Executed, but not known to be on a majority.
		return docdb.ErrOutcomeUnknown
	case code == 0 && answered:
		// The server has answered, so the write was done, but the answer was not understood.
		return docdb.ErrOutcomeUnknown
	case sentinels[code] != nil:
		return sentinels[code]
	case duplicateCodes[code]:
		return docdb.ErrDuplicate // a caller that can name the index has done so before
	case code == 0, code == codeAuthenticationFailed, notPrimaryCodes[code], conflictCodes[code],
		hasLabel(err, labelNoWrites), hasLabel(err, labelOverloaded) && hasLabel(err, labelRetryable):
		// Without a code, and with no attempt lost, nothing was sent: the driver
		// found no server or got no connection, or the time was up before.
		return docdb.ErrUnavailable
	case interruptedCodes[code], hasLabel(err, labelRetryableWrite):
		return docdb.ErrOutcomeUnknown
	default:
		return nil
	}
}

// callersEnd returns the error of the caller's context if the call failed because of it. The
// engine's own timeout is not the caller's deadline.
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

// writersEnd is callersEnd for a write, which only the caller's deadline ends.
func writersEnd(ctx context.Context, err error) error {
	if deadline, ok := ctx.Deadline(); ok && (errors.Is(err, context.DeadlineExceeded) || !time.Now().Before(deadline)) {
		return context.DeadlineExceeded
	}
	return nil
}

// Document returns the error of one document of an insert of many.
func (t Translator) Document(what string, we mongo.WriteError) error {
	err := mongo.WriteException{WriteErrors: mongo.WriteErrors{we}}
	return &Error{Kind: writeSentinel(err, true), Text: t.Describe(what, err)}
}

// Describe says what failed: of the server's answers the code and its name only,
// since their texts quote keys; of the driver's own errors the text.
func (t Translator) Describe(what string, err error) string {
	if isAnswer(err) {
		return what + ": " + err.Error()
	}
	var we mongo.WriteException
	var ce mongo.CommandError
	code := Code(err)
	switch {
	case errors.As(err, &we) && len(we.WriteErrors) == 0 && we.WriteConcernError != nil:
		return fmt.Sprintf("%s: write concern: MongoDB error %d", what, we.WriteConcernError.Code)
	case errors.As(err, &ce) && code != 0 && isName(ce.Name):
		return fmt.Sprintf("%s: MongoDB error %d (%s)%s", what, code, ce.Name, advice(code))
	case code != 0:
		return fmt.Sprintf("%s: MongoDB error %d%s", what, code, advice(code))
	default:
		return what + ": " + t.Secrets.Line(err.Error())
	}
}

// isName reports whether a text has the form of a code's name.
func isName(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return s != "" && len(s) < 64
}

// Resumable reports whether a stream that broke with this error can go on with
// another cursor.
func Resumable(err error) bool {
	code := Code(err)
	return hasLabel(err, labelNetwork) || code == codeCursorNotFound || notPrimaryCodes[code] ||
		interruptedCodes[code] && code != 50 && code != 175
}

// RefusesOptions reports whether a server may have refused a command for its options.
// It may also have refused it for lack of a privilege: Atlas has the same code for both.
func RefusesOptions(err error) bool {
	code := Code(err)
	return sentinels[code] == docdb.ErrUnsupported || code == BadValue || code == codeAtlas
}

// IsDuplicate reports whether a code says that a unique key is taken.
func IsDuplicate(code int) bool { return duplicateCodes[code] }

// IsConflict reports whether a code says that nothing was done because of another write or
// command under way.
func IsConflict(code int) bool { return conflictCodes[code] }

// RefusesCredentials reports whether a server has refused the user name or the password.
func RefusesCredentials(err error) bool {
	return HasCode(err, codeAuthenticationFailed) || HasCode(err, codeAtlas)
}
