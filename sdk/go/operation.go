package orgd

import (
	"net/http"
	"path"
	"strings"
)

// An operation is what the client has to know of one of the contract's.
type operation struct {
	credential credential
	repeatable bool // doing it twice is doing it once
	once       bool // the first answer is the answer
	idempotent bool // POST: the server knows Idempotency-Key
	safe       bool // changes nothing
}

type credential int

const (
	ofTenant   credential = iota // the organization's: a token
	ofNobody                     // none, also when the client has one
	ofAnybody                    // a token where there is one
	ofOperator                   // the operator's key
)

// special has the operations that differ from what their method and path say,
// a * standing for a path parameter. A test holds it against the contract.
var special = map[string]operation{
	"POST /org/create":    {credential: ofNobody, idempotent: true},
	"POST /org/documents": {idempotent: true},
	"GET /org/get":        {credential: ofAnybody},
	"POST /admin/login":   {credential: ofNobody, repeatable: true},
	"GET /livez":          {credential: ofNobody, once: true},
	"GET /readyz":         {credential: ofNobody, once: true},

	"POST /org/documents/query":              {repeatable: true, safe: true}, // GET /org/documents, with a body
	"POST /org/export":                       {repeatable: true, safe: true},
	"PATCH /org/documents/*":                 {repeatable: true}, // a merge patch
	"POST /org/indexes":                      {repeatable: true}, // the same index again changes nothing
	"POST /operator/organizations/*/suspend": {repeatable: true}, // what is suspended already stays so
	"POST /operator/organizations/*/resume":  {repeatable: true},
	"POST /operator/organizations/*/restore": {repeatable: true},
}

// operationOf returns the operation behind a method and a path of the contract.
func operationOf(method, contractPath string) operation {
	var op operation
	for pattern, s := range special {
		if ok, err := path.Match(pattern, method+" "+contractPath); ok && err == nil {
			op = s
		}
	}
	if strings.HasPrefix(contractPath, "/operator/") {
		op.credential = ofOperator
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		op.safe, op.repeatable = true, true
	case http.MethodPut, http.MethodDelete:
		op.repeatable = true
	case http.MethodPost:
		op.repeatable = op.repeatable || op.idempotent
	}
	return op
}
