package orgd

import (
	"net/http"
	"path"
	"strings"
)

// An operation is what the client has to know of one of the contract's.
type operation struct {
	credential credential
	safe       bool // changes nothing
	repeatable bool // doing it twice is doing it once, with a key where it is keyed
	keyed      bool // the server knows Idempotency-Key
	once       bool // the first answer is the answer
}

type credential int

const (
	ofTenant   credential = iota // the organization's: a token
	ofNobody                     // none, also when the client has one
	ofAnybody                    // a token where there is one
	ofOperator                   // the operator's key
)

// operationOf returns the operation behind a method and a path of the contract.
func operationOf(method, contractPath string) operation {
	name := method + " " + contractPath
	if op, ok := operations[name]; ok {
		return op
	}
	for pattern, op := range operations {
		if ok, err := path.Match(pattern, name); ok && err == nil {
			return op
		}
	}
	return laterOperation(method, contractPath)
}

// laterOperation is one that a later contract may have, as far as method and path tell.
func laterOperation(method, contractPath string) (op operation) {
	if strings.HasPrefix(contractPath, "/operator/") {
		op.credential = ofOperator
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		op.safe, op.repeatable = true, true
	case http.MethodPut, http.MethodDelete:
		op.repeatable = true
	}
	return op
}
