// Package suite runs the whole contract against live servers: for every operation requests
// drawn from its schemas and the examples; scenarios that bring about every documented
// answer; and, to prove that the suite finds faults, the same against servers with a fault
// put in on purpose.
//
// What rapid draws is random. A failure prints the seed, and with it the same
// requests come again, in the same order, to a fresh server:
//
//	go test ./internal/contracttest/suite -run 'TestTheContract/refused_body/login' -rapid.seed=17
//
// To look for longer: -rapid.checks=2000, or `make properties`.
package suite

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/orgd/orgd/internal/contracttest"
)

// checks is how many cases rapid draws for a property unless -rapid.checks says.
const checks = "10"

// seen counts the documented answers that the tests of this package got.
var seen contracttest.Coverage

// codes are the codes of the problems among them.
var codes sync.Map

// unseen are the documented answers that no test here can get, and why. One that a
// test gets after all must not be listed.
var unseen = map[contracttest.Response]string{
	{Operation: "getLiveness", Status: 500}:     "it does nothing that could fail",
	{Operation: "getReadiness", Status: 500}:    "what fails there is 503",
	{Operation: "getContractYAML", Status: 500}: "it does nothing that could fail",
	{Operation: "getContractJSON", Status: 500}: "it does nothing that could fail",
	{Operation: "getDocs", Status: 500}:         "it does nothing that could fail",
	{Operation: "getContractYAML", Status: 503}: "only while orgd starts, as internal/app's tests see it",
	{Operation: "getContractJSON", Status: 503}: "only while orgd starts, as internal/app's tests see it",
	{Operation: "getDocs", Status: 503}:         "only while orgd starts, as internal/app's tests see it",
}

func TestMain(m *testing.M) {
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !given["rapid.checks"] {
		set("rapid.checks", checks)
	}
	set("rapid.nofailfile", "true") // the seed says it all
	code := m.Run()
	if code == 0 && !given["test.run"] && !given["test.skip"] && !given["test.list"] {
		code = reportGaps()
	}
	os.Exit(code)
}

// set sets a flag for all tests that begin later.
func set(name, value string) {
	if err := flag.Set(name, value); err != nil {
		panic(err) // a flag of rapid's
	}
}

// reportGaps fails the run if no test got a documented answer, header or code of problems.
func reportGaps() (code int) {
	missing, err := seen.Missing()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	contract, err := contracttest.Load()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for _, c := range contract.Codes() {
		if _, ok := codes.Load(c); !ok {
			fmt.Printf("no test gets a problem with the code %s\n", c)
			code = 1
		}
	}
	for _, r := range missing {
		if unseen[r] == "" {
			fmt.Printf("no test gets the documented answer %s: make one get it, or say in unseen why none can\n", r)
			code = 1
		}
	}
	headers, err := seen.MissingHeaders()
	for _, h := range headers {
		fmt.Printf("no test gets %s: make one get it\n", h)
		code = 1
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for r, reason := range unseen {
		if seen.Count(r) > 0 {
			fmt.Printf("a test gets %s, of which unseen says: %s\n", r, reason)
			code = 1
		}
	}
	return code
}
