// Package policy reads what openapi.yaml says of each operation by x-policy. What the
// contract's head does not know, or what contradicts the rest of an operation, is an error.
package policy

import (
	"slices"

	"github.com/orgd/orgd/internal/org"
)

// A Policy is the x-policy of an operation. The head of openapi.yaml explains the fields.
type Policy struct {
	Plane      Plane       `json:"plane"`
	Scope      Scope       `json:"scope"`
	States     []org.State `json:"states"`
	Safe       bool        `json:"safe"`
	Idempotent bool        `json:"idempotent"`
	Repeatable bool        `json:"repeatable"`
	Limiter    Limiter     `json:"limiter"`
	Streams    Streams     `json:"streams"`
	Probe      bool        `json:"probe"`
	Joint      bool        `json:"joint"`
}

// Keyed reports whether the operation takes an Idempotency-Key, and may be sent again with it only.
func (p Policy) Keyed() bool { return p.Repeatable && !p.Idempotent }

// Allows reports whether the operation is allowed while the organization is in that state.
func (p Policy) Allows(state org.State) bool { return slices.Contains(p.States, state) }

// A Plane names the callers that an operation is for.
type Plane string

// The planes.
const (
	Public   Plane = "public"
	Tenant   Plane = "tenant"
	Operator Plane = "operator"
)

// A Scope is what a role will have to hold for an operation.
type Scope string

// NoScope is that of the public plane, which takes no role.
const NoScope Scope = "none"

// scopes are those of each plane.
var scopes = map[Plane][]Scope{
	Public: {NoScope},
	Tenant: {"organization:update", "organization:delete", "operations:read", "documents:read", "documents:write",
		"indexes:read", "indexes:write"},
	Operator: {"organizations:read", "organizations:suspend", "organizations:restore", "organizations:limit"},
}

// states are all that an organization can be in.
var states = []org.State{org.StateProvisioning, org.StateActive, org.StateSuspended, org.StateDeleting}

// A Limiter is what counts the requests of an operation.
type Limiter string

// The limiters.
const (
	Unlimited    Limiter = "none"
	LimitSignups Limiter = "signup"
	LimitLogins  Limiter = "login"
	LimitLookups Limiter = "lookup"
	LimitUpdates Limiter = "update"
	LimitData    Limiter = "data"
)

// limiters are those of each plane: of strangers the address is counted, of tenants the
// organization.
var limiters = map[Plane][]Limiter{
	Public:   {Unlimited, LimitSignups, LimitLogins, LimitLookups},
	Tenant:   {Unlimited, LimitUpdates, LimitData},
	Operator: {Unlimited},
}

// Streams says which bodies are read, or written, piece by piece.
type Streams string

// What can stream.
const (
	NoStream       Streams = "none"
	RequestStream  Streams = "request"
	ResponseStream Streams = "response"
	BothStream     Streams = "both"
)

var streams = []Streams{NoStream, RequestStream, ResponseStream, BothStream}

// Request reports whether the request's body streams.
func (s Streams) Request() bool { return s == RequestStream || s == BothStream }

// Response reports whether the answer's body streams.
func (s Streams) Response() bool { return s == ResponseStream || s == BothStream }
