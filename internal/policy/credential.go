package policy

import (
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
)

// A Credential is the kind that an operation asks of its caller, as its security says.
type Credential int

// The credentials.
const (
	NoCredential  Credential = iota // none; a credential that is sent is not looked at
	OptionalToken                   // none will do, but a bad token is refused
	Token                           // a token of an organization's admin
	OperatorKey                     // the operator's key, which is no token
)

// planes say which plane a credential is of.
var planes = map[Credential]Plane{NoCredential: Public, OptionalToken: Public, Token: Tenant, OperatorKey: Operator}

// credentialOf refuses a scheme that it does not know, so that a new scheme in the
// contract is never taken for none.
func credentialOf(security openapi3.SecurityRequirements) (Credential, error) {
	if len(security) == 1 && isExactly(security[0], "operatorKey") {
		return OperatorKey, nil
	}
	open, token := len(security) == 0, false
	for _, requirement := range security {
		switch {
		case len(requirement) == 0:
			open = true
		case isExactly(requirement, "bearerAuth"):
			token = true
		default:
			return 0, fmt.Errorf("cannot enforce the security requirement %v", requirement)
		}
	}
	switch {
	case open && token:
		return OptionalToken, nil
	case token:
		return Token, nil
	}
	return NoCredential, nil
}

func isExactly(requirement openapi3.SecurityRequirement, scheme string) bool {
	scopes, ok := requirement[scheme]
	return ok && len(requirement) == 1 && len(scopes) == 0
}
