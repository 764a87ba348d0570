package orgd_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// The address of an orgd for the examples, and its operator's key. The module in tests,
// which has all other tests, starts that orgd and runs the examples.
var (
	serverURL   = os.Getenv("ORGD_TEST_URL")
	operatorKey = os.Getenv("ORGD_TEST_OPERATOR_KEY")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if serverURL == "" {
		fmt.Fprintln(os.Stderr, "The examples need an orgd: `go test` in sdk/go/tests runs them.")
		_ = flag.Set("test.skip", "^Example") // the flag is there: package testing has it
	}
	os.Exit(m.Run())
}
