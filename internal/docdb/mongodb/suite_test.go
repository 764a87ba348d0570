package mongodb_test

import (
	"maps"
	"os"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/standin"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// standIn are the options for the faults of secantusdb 0.7.0b3, each seen with the Python driver
// too. On another server (ORGD_TEST_MONGO_URI, ORGD_TEST_MONGOD) no case is left out.
var standIn = suite.Options{
	Rounds: 10,
	Lacks:  standin.Lacks,
	Avoid:  standin.Avoid,
	Skip: map[string]string{
		"Create of one name: among racing calls exactly one succeeds":                                       "the server now and then tells two racing calls that they created it",
		"a conditional write to a collection that does not exist matches nothing":                           "the server creates a collection on an update without upsert that finds none",
		"numbers that a double cannot tell apart are different _ids":                                        "the server takes the decimal 0.1 and the double 0.1 for one key",
		"the order of fields, and a nested name that is there twice, are read back as written":              "the server keeps only the last field of a name",
		"CreateIndex over documents that have arrays at two of its paths is ErrInvalid and changes nothing": "the server admits arrays at two paths of an index",
		"a document with arrays at two paths of one index is ErrInvalid and changes nothing":                "the server admits arrays at two paths of an index",
		"InsertMany adds documents, and answers by position which were not added":                           "the server admits arrays at two paths of an index",
		"a unique index admits one empty array, which is undefined there":                                   "the server has no undefined",
		"an index on paths into one array holds its documents' pairs":                                       "the server indexes every combination of the elements' values",
	},
}

// long are cases of thousands of documents each, which make test-long has time for.
var long = []string{
	"Find yields the documents of up to 1000 _ids, each once, in their order, 1 and 1.0 being one",
	"paging by an index yields every document once, both ways, whatever the values",
	"paging while others write yields every document that is there and unchanged once",
	"every filter gives the same documents in every order",
	"Find takes memory that does not grow with the number of documents",
}

// serverLimits is the reason to skip a case on every server.
const serverLimits = "a document's keys are made by the server, which has limits of its own"

func TestContract(t *testing.T) {
	uri := mongotest.URI(t)
	options := suite.Options{Rounds: 50}
	if mongotest.IsStandIn() {
		options = standIn
		if os.Getenv("ORGD_TEST_LONG") != "" {
			options.Rounds = 50
		}
	}
	skip := map[string]string{"a document of more keys than indexes may hold is refused with an IndexKeyError and changes nothing": serverLimits}
	maps.Copy(skip, options.Skip)
	if testing.Short() {
		for _, name := range long {
			skip[name] = "takes long: make test-long"
		}
	}
	options.Skip = skip
	docdbtest.Run(t, func(t *testing.T) docdb.Engine {
		// A minute: the stand-in is slow to drop a hundred MiB.
		e, err := mongodb.Open(t.Context(), mongodb.Config{URI: uri, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}, options)
}
