package guard

import (
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/strictjson"
	"github.com/orgd/orgd/internal/tenant"
)

// checkJSON refuses a body that encoding/json, which comes after, would decode with a loss.
// Extended are its properties that are Extended JSON.
func checkJSON(body []byte, extended []string) *problem.Field {
	e := strictjson.Check(body, strictjson.Rules{MaxDepth: tenant.MaxDepth, FoldNames: true, Extended: extended})
	if e == nil {
		return nil
	}
	return &problem.Field{Pointer: problem.Pointer(e.Path...), Detail: e.Detail}
}
