package app_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/orgd/orgd/internal/contracttest"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// seen counts the documented answers that the tests of this package got.
var seen contracttest.Coverage

// unseen are the documented answers that no test here can get, and why. One that a
// test gets after all must not be listed.
var unseen = map[contracttest.Response]string{
	{Operation: "getLiveness", Status: 500}:        "it does nothing that could fail",
	{Operation: "getReadiness", Status: 500}:       "what fails there is 503",
	{Operation: "getContractYAML", Status: 500}:    "it does nothing that could fail",
	{Operation: "getContractJSON", Status: 500}:    "it does nothing that could fail",
	{Operation: "getDocs", Status: 500}:            "it does nothing that could fail",
	{Operation: "updateOrganization", Status: 429}: "updates are not limited",
}

func TestMain(m *testing.M) { mongotest.Main(gate{m}) }

// A gate fails the tests of the package when they are run whole and leave a
// documented answer out.
type gate struct{ *testing.M }

// Run runs the tests.
func (g gate) Run() int {
	code := g.M.Run()
	if code != 0 || !whole() {
		return code
	}
	missing, err := seen.Missing()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for _, r := range missing {
		if unseen[r] == "" {
			fmt.Printf("no test gets the documented answer %s\n", r)
			code = 1
		}
	}
	for r, reason := range unseen {
		if seen.Count(r) > 0 {
			fmt.Printf("a test gets %s, of which unseen says: %s\n", r, reason)
			code = 1
		}
	}
	return code
}

// whole reports whether all tests were run.
func whole() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return os.Getenv("ORGD_TEST_MONGO") != "off" && os.Getenv("ORGD_TEST_MONGO_URI") == ""
}
