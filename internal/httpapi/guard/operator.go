package guard

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/org"
)

// authenticateOperator compares digests, so that the time it takes shows neither the content nor
// the length of the key.
func (g *Guard) authenticateOperator(ec echo.Context) error {
	const howTo = "Send the operator's key as Authorization: Bearer <OPERATOR_KEY>."
	values := ec.Request().Header["Authorization"]
	if len(values) != 1 || g.OperatorKey == "" {
		return org.Errorf(org.Unauthenticated, howTo)
	}
	scheme, key, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return org.Errorf(org.Unauthenticated, howTo)
	}
	stateOf(ec).Token = true
	given, want := sha256.Sum256([]byte(strings.TrimLeft(key, " "))), sha256.Sum256([]byte(g.OperatorKey))
	if subtle.ConstantTimeCompare(given[:], want[:]) != 1 {
		return org.Errorf(org.Unauthenticated, "This is not the operator's key. "+howTo)
	}
	stateOf(ec).Become(memory.Operator)
	return nil
}
