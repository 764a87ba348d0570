package policy

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/orgd/orgd/internal/org"
)

// check returns everything that is wrong with a policy: values that are unknown, and what
// contradicts the rest of the operation, or the policy itself.
func (o *Operation) check() error {
	if scopes[o.Plane] == nil {
		return fmt.Errorf("x-policy: there is no plane %q", o.Plane)
	}
	var wrong []error
	for _, state := range o.States {
		if !slices.Contains(states, state) {
			wrong = append(wrong, fmt.Errorf("x-policy: there is no state %q", state))
		}
	}
	for _, r := range rules {
		if !r.holds(o) {
			wrong = append(wrong, fmt.Errorf("x-policy: %s", r.says))
		}
	}
	return errors.Join(wrong...)
}

// A rule is a condition that every operation has to meet.
type rule struct {
	says  string
	holds func(o *Operation) bool
}

var rules = []rule{
	{"the scope is one of its plane", func(o *Operation) bool { return slices.Contains(scopes[o.Plane], o.Scope) }},
	{"the limiter is one of its plane", func(o *Operation) bool { return slices.Contains(limiters[o.Plane], o.Limiter) }},
	{"streams is none, request, response or both", func(o *Operation) bool { return slices.Contains(streams, o.Streams) }},

	{"the plane is that of the security", func(o *Operation) bool { return o.Plane == planes[o.Credential] }},
	{"the plane is that of the path: operator beneath /operator/, tenant beneath /org/ or /admin/", planeFitsPath},
	{"a token is good while the organization is active, or while it is deleting, too", tokensFitStates},
	{"a state comes once", func(o *Operation) bool {
		return len(slices.Compact(slices.Sorted(slices.Values(o.States)))) == len(o.States)
	}},
	{"who may be refused for a suspension documents 423", func(o *Operation) bool { return o.Plane != Tenant || o.documents(http.StatusLocked) }},

	{"GET, and no other method of its own accord, is safe", methodFits},
	{"what is safe is idempotent", func(o *Operation) bool { return !o.Safe || o.Idempotent }},
	{"what is idempotent is repeatable", func(o *Operation) bool { return !o.Idempotent || o.Repeatable }},
	{"what is repeatable and not idempotent takes an Idempotency-Key, and nothing else does", func(o *Operation) bool {
		return o.Keyed() == (o.Parameters().GetByInAndName(openapi3.ParameterInHeader, "Idempotency-Key") != nil)
	}},
	{"a scope to read is that of what is safe", func(o *Operation) bool {
		return o.Plane == Public || strings.HasSuffix(string(o.Scope), ":read") == o.Safe
	}},
	{"who has a limiter documents 429, and nobody else", func(o *Operation) bool {
		return (o.Limiter != Unlimited) == o.documents(http.StatusTooManyRequests)
	}},
	{"what streams is application/x-ndjson, and nothing else is", streamsFit},
	{"a probe is a public GET without limits", func(o *Operation) bool {
		return !o.Probe || o.Plane == Public && o.Method == http.MethodGet && o.Limiter == Unlimited
	}},
	{"joint is of the tenant plane, safe, and reads no stream", func(o *Operation) bool {
		return !o.Joint || o.Plane == Tenant && o.Safe && o.Streams == NoStream
	}},
}

func planeFitsPath(o *Operation) bool {
	switch {
	case strings.HasPrefix(o.Path, "/operator/"):
		return o.Plane == Operator
	case strings.HasPrefix(o.Path, "/org/"), strings.HasPrefix(o.Path, "/admin/"):
		return o.Plane != Operator
	}
	return o.Plane == Public
}

// tokensFitStates allows the states that the storage can tell apart when it checks a token.
func tokensFitStates(o *Operation) bool {
	return o.Plane != Tenant || o.Allows(org.StateActive) && !o.Allows(org.StateProvisioning) && !o.Allows(org.StateSuspended)
}

func methodFits(o *Operation) bool {
	switch o.Method {
	case http.MethodGet:
		return o.Safe
	case http.MethodPut, http.MethodDelete:
		return !o.Safe && o.Idempotent
	case http.MethodPatch:
		return !o.Safe
	}
	return true // POST may be anything
}

func streamsFit(o *Operation) bool {
	const lines = "application/x-ndjson"
	asked := o.Spec.RequestBody != nil && o.Spec.RequestBody.Value.Content[lines] != nil
	answer := o.Spec.Responses.Status(http.StatusOK)
	answered := answer != nil && answer.Value.Content[lines] != nil
	return o.Streams.Request() == asked && o.Streams.Response() == answered
}

func (o *Operation) documents(status int) bool {
	return o.Spec.Responses.Value(strconv.Itoa(status)) != nil
}
