// Package policy is what the client has to know of the contract's operations: which
// credential a request carries, and whether it may be sent again. The table is generated
// from the contract; of an operation that is newer than it, method and path tell.
package policy

import (
	"net/http"
	"path"
	"strings"
)

// An Operation is what the contract says of one, as far as the client acts on it.
type Operation struct {
	Credential Credential
	Safe       bool // changes nothing
	Repeatable bool // doing it twice is doing it once, with an Idempotency-Key where it is Keyed
	Keyed      bool // the server acts on an Idempotency-Key
	Once       bool // is not tried again: the first answer counts
}

// A Credential is what an operation's requests authenticate with.
type Credential int

// The credentials.
const (
	Token         Credential = iota // an organization's token
	NoCredential                    // none, even if the client has some
	OptionalToken                   // a token if the client has a good one
	OperatorKey                     // the operator's key
)

// Of returns the operation of a method and a path of the contract.
func Of(method, contractPath string) Operation {
	name := method + " " + contractPath
	if op, ok := operations[name]; ok {
		return op
	}
	for pattern, op := range operations {
		if ok, err := path.Match(pattern, name); ok && err == nil {
			return op
		}
	}
	return unlisted(method, contractPath)
}

// unlisted returns what method and path tell of an operation that the table does not have.
func unlisted(method, contractPath string) (op Operation) {
	if strings.HasPrefix(contractPath, "/operator/") {
		op.Credential = OperatorKey
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		op.Safe, op.Repeatable = true, true
	case http.MethodPut, http.MethodDelete:
		op.Repeatable = true
	}
	return op
}
