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
	if err := os.WriteFile("sdk/go/internal/policy/table_gen.go", source, 0o644); err != nil {
		return err
	}
	return os.WriteFile("sdk/typescript/src/operations.gen.ts", []byte(forTypeScript(all)), 0o644)
}

// isPage reports whether the generated clients leave an operation out: pages are for people.
func isPage(o policy.Operation) bool { return slices.Contains(o.Spec.Tags, "docs") }

// trueFields returns the fields that are true of an operation, as both tables have them after its
// credential; spell makes a field's name that of the table's language.
func trueFields(o policy.Operation, spell func(string) string) string {
	var b strings.Builder
	for _, f := range []struct {
		name string
		is   bool
	}{
		{"Safe", o.Safe}, {"Repeatable", o.Repeatable}, {"Keyed", o.Keyed()}, {"Once", o.Probe},
	} {
		if f.is {
			b.WriteString(", " + spell(f.name) + ": true")
		}
	}
	return b.String()
}

// exported spells a name for another package of Go.
func exported(name string) string { return name }

var parameter = regexp.MustCompile(`\{\w+\}`)

func forGo(all []policy.Operation) string {
	credentials := map[policy.Credential]string{
		policy.NoCredential: "NoCredential", policy.OptionalToken: "OptionalToken", policy.Token: "Token", policy.OperatorKey: "OperatorKey",
	}
	var b strings.Builder
	b.WriteString(`// Code generated from openapi.yaml by make generate. DO NOT EDIT.

package policy

// operations has the contract's by method and path, a * standing for a path parameter.
var operations = map[string]Operation{
`)
	for _, o := range all {
		fmt.Fprintf(&b, "\t%q: {Credential: %s%s},\n", o.Method+" "+parameter.ReplaceAllString(o.Path, "*"),
			credentials[o.Credential], trueFields(o, exported))
	}
	b.WriteString("}\n")
	return b.String()
}

func forTypeScript(all []policy.Operation) string {
	credentials := map[policy.Credential]string{
		policy.NoCredential: "none", policy.OptionalToken: "optionalToken", policy.Token: "token", policy.OperatorKey: "operatorKey",
	}
	var b strings.Builder
	b.WriteString(`// Generated from openapi.yaml by make generate. Do not edit.
import type { Operation } from './operation.js';

/** The contract's operations, by method and path. */
export const operations = {
`)
	for _, o := range all {
		fmt.Fprintf(&b, "  '%s %s': { credential: '%s'%s },\n", o.Method, o.Path, credentials[o.Credential], trueFields(o, strings.ToLower))
	}
	b.WriteString("} satisfies Record<string, Operation>;\n")
	return b.String()
}
