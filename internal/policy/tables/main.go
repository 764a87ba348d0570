// Command tables makes the clients' tables of operations from openapi.yaml: see `make generate`.
// It is run in the root of the repository.
package main

import (
	"fmt"
	"go/format"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/orgd/orgd"
	"github.com/orgd/orgd/internal/policy"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "tables:", err)
		os.Exit(1)
	}
}

func run() error {
	_, all, err := policy.Parse(orgd.OpenAPI)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, isPage)
	source, err := format.Source([]byte(forGo(all)))
	if err != nil {
		return err
	}
	if err := os.WriteFile("sdk/go/operation_gen.go", source, 0o644); err != nil {
		return err
	}
	return os.WriteFile("sdk/typescript/src/operations.gen.ts", []byte(forTypeScript(all)), 0o644)
}

// isPage reports whether the generated clients leave an operation out: pages are for people.
func isPage(o policy.Operation) bool { return slices.Contains(o.Spec.Tags, "docs") }

// marks are what is true of an operation, by the names that both tables have for it.
func marks(o policy.Operation) (names []string) {
	for _, m := range []struct {
		name string
		is   bool
	}{
		{"safe", o.Safe}, {"repeatable", o.Repeatable}, {"keyed", o.Keyed()}, {"once", o.Probe},
	} {
		if m.is {
			names = append(names, ", "+m.name+": true")
		}
	}
	return names
}

var parameter = regexp.MustCompile(`\{\w+\}`)

func forGo(all []policy.Operation) string {
	credentials := map[policy.Credential]string{
		policy.NoCredential: "ofNobody", policy.OptionalToken: "ofAnybody", policy.Token: "ofTenant", policy.OperatorKey: "ofOperator",
	}
	var b strings.Builder
	b.WriteString(`// Code generated from openapi.yaml by make generate. DO NOT EDIT.

package orgd

// operations has the contract's by method and path, a * standing for a path parameter.
var operations = map[string]operation{
`)
	for _, o := range all {
		fmt.Fprintf(&b, "\t%q: {credential: %s%s},\n", o.Method+" "+parameter.ReplaceAllString(o.Path, "*"),
			credentials[o.Credential], strings.Join(marks(o), ""))
	}
	b.WriteString("}\n")
	return b.String()
}

func forTypeScript(all []policy.Operation) string {
	credentials := map[policy.Credential]string{
		policy.NoCredential: "nobody", policy.OptionalToken: "anybody", policy.Token: "tenant", policy.OperatorKey: "operator",
	}
	var b strings.Builder
	b.WriteString(`// Generated from openapi.yaml by make generate. Do not edit.
import type { Operation } from './operation.js';

/** The contract's operations, by method and path. */
export const operations = {
`)
	for _, o := range all {
		fmt.Fprintf(&b, "  '%s %s': { credential: '%s'%s },\n", o.Method, o.Path, credentials[o.Credential], strings.Join(marks(o), ""))
	}
	b.WriteString("} satisfies Record<string, Operation>;\n")
	return b.String()
}
