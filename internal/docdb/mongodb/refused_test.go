package mongodb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// refusal is the answer of a server to a command that it does not begin.
func refusal(code int, name string) bson.D {
	return bson.D{{Key: "ok", Value: 0}, {Key: "errmsg", Value: "no"}, {Key: "code", Value: code}, {Key: "codeName", Value: name}}
}

// without makes a server refuse collections with a validator.
func without(code int, name string) func(mongotest.Command) any {
	return func(c mongotest.Command) any {
		if _, err := c.Body.LookupErr("validator"); c.Name == "create" && err == nil {
			return refusal(code, name)
		}
		return nil
	}
}

func TestCreateOnAServerWithoutValidators(t *testing.T) {
	for code, name := range map[int]string{115: "CommandNotSupported", 72: "InvalidOptions", 9: "FailedToParse", 14: "TypeMismatch", 2: "BadValue",
		238: "NotImplemented", 40415: "Location40415", 8000: "AtlasError", 59: "CommandNotFound"} {
		t.Run(name, func(t *testing.T) {
			p := mongotest.NewProxy(t, mongotest.URI(t))
			db := open(t, mongodb.Config{URI: p.URI()}).Database(mongotest.Database(t))
			p.Answer(without(code, name))
			r := record(p)
			for _, c := range []string{"a", "b", "c"} {
				if err := db.Create(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				insert(t, db.Collection(c), bson.D{{Key: "_id", Value: 1}})
				isOutcome(t, db.Create(t.Context(), c), docdb.ErrExists)
				if n := len(find(t, db.Collection(c), docdb.Query{})); n != 1 {
					t.Errorf("%d documents", n)
				}
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if n := len(r.commands["create"]); n != 4 {
				t.Errorf("the server got %d creates, want one with a validator and three without", n)
			}
		})
	}
}

// TestCreateThatIsRefusedOnceMore: when the server refuses a create without a validator too, its
// reason is the error, and the next Create tries with a validator again.
func TestCreateThatIsRefusedOnceMore(t *testing.T) {
	p := mongotest.NewProxy(t, mongotest.URI(t))
	db := open(t, mongodb.Config{URI: p.URI()}).Database(mongotest.Database(t))
	p.Answer(func(c mongotest.Command) any {
		if c.Name == "create" {
			return refusal(8000, "AtlasError")
		}
		return nil
	})
	isOutcome(t, db.Create(t.Context(), "a"), docdb.ErrForbidden)
	p.Answer(nil)
	r := record(p)
	if err := db.Create(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.commands["create"][0].LookupErr("validator"); err != nil || len(r.commands["create"]) != 1 {
		t.Errorf("sent %v", r.commands["create"])
	}
}

// TestARefusalSaysWhatIsMissing: and that nothing was done, for every method.
func TestARefusalSaysWhatIsMissing(t *testing.T) {
	for code, want := range map[int]struct {
		name string
		is   error
		says string
	}{
		13:   {"Unauthorized", docdb.ErrForbidden, "readWrite and dbAdmin"},
		8000: {"AtlasError", docdb.ErrForbidden, "readWrite and dbAdmin"},
		59:   {"CommandNotFound", docdb.ErrUnsupported, "the server lacks"},
		115:  {"CommandNotSupported", docdb.ErrUnsupported, "the server lacks"},
		20:   {"IllegalOperation", errors.ErrUnsupported, "the server lacks"},
	} {
		t.Run(want.name, func(t *testing.T) {
			p := mongotest.NewProxy(t, mongotest.URI(t))
			name := newWritable(t)
			db := open(t, mongodb.Config{URI: p.URI()}).Database(name)
			check := func(op string, err error) {
				t.Helper()
				text := fmt.Sprint(err)
				if !errors.Is(err, want.is) || !docdb.NothingDone(err) || !strings.Contains(text, want.says) ||
					!strings.Contains(text, name) || !strings.Contains(text, want.name) || strings.Contains(text, "\n") {
					t.Errorf("%s: %v", op, err)
				}
			}
			for op, w := range everyWrite(t) {
				p.Answer(func(c mongotest.Command) any {
					if c.Name == w.command {
						return refusal(code, want.name)
					}
					return nil
				})
				check(op, w.call(t.Context(), db))
			}
			p.Answer(func(c mongotest.Command) any { return refusal(code, want.name) })
			_, err := db.List(t.Context(), "")
			check("List", err)
			_, err = db.Collection("c").Count(t.Context(), docdb.Filter{})
			check("Count", err)
			_, err = db.Collection("c").(docdb.Sizer).Size(t.Context())
			check("Size", err)
			p.Answer(nil)
		})
	}
}

// positions answers an insert with errors at its documents.
func positions(codes map[int]int, more ...bson.E) func(mongotest.Command) any {
	return func(c mongotest.Command) any {
		if c.Name != "insert" {
			return nil
		}
		list := bson.A{}
		for at, code := range codes {
			list = append(list, bson.D{{Key: "index", Value: at}, {Key: "code", Value: code}, {Key: "errmsg", Value: "no"},
				{Key: "keyPattern", Value: bson.D{{Key: "_id", Value: 1}}}})
		}
		return append(bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: 3 - len(codes)}, {Key: "writeErrors", Value: list}}, more...)
	}
}

// TestPositionsOfInsertManyAreDefinite: the error of a document whose outcome is unknown is that of
// the whole call.
func TestPositionsOfInsertManyAreDefinite(t *testing.T) {
	concern := bson.E{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: 64}, {Key: "errmsg", Value: "no"}}}
	for name, test := range map[string]struct {
		answer func(mongotest.Command) any
		errs   []error // by position
		call   bool    // the call's own error
	}{
		"a taken key":                   {answer: positions(map[int]int{1: 11000}), errs: []error{nil, docdb.ErrDuplicate, nil}},
		"a rule of the collection":      {answer: positions(map[int]int{0: 121, 2: 11000}), errs: []error{docdb.ErrInvalid, nil, docdb.ErrDuplicate}},
		"a conflict to the last":        {answer: positions(map[int]int{0: 112}), errs: []error{docdb.ErrUnavailable, nil, nil}},
		"interrupted":                   {answer: positions(map[int]int{1: 11601}), call: true},
		"a shard that does not answer":  {answer: positions(map[int]int{0: 11000, 1: 6}), call: true},
		"an error that nobody knows":    {answer: positions(map[int]int{2: 123456}), call: true},
		"a write concern besides":       {answer: positions(map[int]int{1: 11000}, concern), call: true},
		"a write concern":               {answer: positions(nil, concern), call: true},
		"a position that was not there": {answer: positions(map[int]int{7: 11000}), call: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := mongotest.NewProxy(t, mongotest.URI(t))
			c := create(t, p.URI()+"&retryWrites=false")
			p.Answer(test.answer)
			docs := []bson.Raw{raw(t, bson.D{{Key: "_id", Value: 1}}), raw(t, bson.D{{Key: "_id", Value: 2}}), raw(t, bson.D{{Key: "_id", Value: 3}})}
			errs, err := c.InsertMany(t.Context(), docs)
			if test.call {
				if err == nil || docdb.NothingDone(err) || errs != nil {
					t.Errorf("got %v, %v", errs, err)
				}
				return
			}
			if err != nil || len(errs) != len(docs) {
				t.Fatalf("got %v, %v", errs, err)
			}
			for i, err := range errs {
				if !errors.Is(err, test.errs[i]) || err != nil && !docdb.NothingDone(err) {
					t.Errorf("at %d: %v, want %v", i, err, test.errs[i])
				}
			}
		})
	}
}

// TestInsertManyInSeveralMessages: MongoDB takes 48,000,000 bytes in a message, so there are two, of
// which the second fails. That nothing was done is true of the second only.
func TestInsertManyInSeveralMessages(t *testing.T) {
	docs := []bson.Raw{bsontest.Sized(1, docdb.MaxDocumentSize), bsontest.Sized(2, docdb.MaxDocumentSize), bsontest.Sized(3, docdb.MaxDocumentSize)}
	for name, answer := range map[string]bson.D{"not the primary": refusal(10107, "NotWritablePrimary"), "not permitted": refusal(13, "Unauthorized")} {
		t.Run(name, func(t *testing.T) {
			p := mongotest.NewProxy(t, mongotest.URI(t))
			c := create(t, p.URI()+"&retryWrites=false")
			inserts := 0
			p.Answer(func(c mongotest.Command) any {
				if c.Name != "insert" {
					return nil
				}
				if inserts++; inserts == 1 {
					return bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: 2}}
				}
				return answer
			})
			errs, err := c.InsertMany(t.Context(), docs)
			isOutcome(t, err, docdb.ErrOutcomeUnknown)
			p.Answer(nil)
			if errs != nil || inserts != 2 || docdb.NothingDone(err) {
				t.Errorf("in %d messages, with %v and %v", inserts, errs, err)
			}
		})
	}
}

// TestTheOutcomeOfACommandThatIsNotOnAMajorityIsUnknown: the command was carried out, but may
// be undone.
func TestTheOutcomeOfACommandThatIsNotOnAMajorityIsUnknown(t *testing.T) {
	for name, w := range everyWrite(t) {
		t.Run(name, func(t *testing.T) {
			p := mongotest.NewProxy(t, mongotest.URI(t))
			db := open(t, mongodb.Config{URI: p.URI() + "&retryWrites=false"}).Database(newWritable(t))
			p.Answer(func(c mongotest.Command) any {
				if c.Name != w.command {
					return nil
				}
				return bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: 1}, {Key: "nModified", Value: 1},
					{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: 64}, {Key: "errmsg", Value: "no"}}}}
			})
			isOutcome(t, w.call(t.Context(), db), docdb.ErrOutcomeUnknown)
		})
	}
}
