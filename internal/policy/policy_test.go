package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd"
	"github.com/orgd/orgd/internal/org"
)

// TestTheContract is the lint rule of x-policy: see `make lint-contract`.
func TestTheContract(t *testing.T) {
	_, all, err := Parse(orgd.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Error("it has no operations")
	}
}

// TestWhatIsReadIsWhatIsWritten takes the operation that says most.
func TestWhatIsReadIsWhatIsWritten(t *testing.T) {
	_, all, err := Parse(one(t, "get", "/org/things", whole))
	if err != nil {
		t.Fatal(err)
	}
	want := Policy{Plane: Tenant, Scope: "documents:read", States: []org.State{org.StateActive, org.StateDeleting}, Safe: true, Idempotent: true,
		Repeatable: true, Limiter: LimitData, Streams: NoStream, Joint: true}
	if diff := cmp.Diff(want, all[0].Policy); diff != "" {
		t.Error(diff)
	}
	if o := all[0]; o.ID != "getThing" || o.Method != "GET" || o.Path != "/org/things" || o.Credential != Token {
		t.Errorf("got %+v", o)
	}
}

// whole is an operation of the tenant plane that keeps all rules.
const whole = `
      operationId: getThing
      x-policy: {plane: tenant, scope: 'documents:read', states: [active, deleting], safe: true, idempotent: true, repeatable: true, limiter: data, streams: none, joint: true}
      responses:
        '200': {description: Good.}
        '423': {description: Suspended.}
        '429': {description: Too many.}
`

// one is a contract of one operation, which changes are made to: old, new, old, new.
func one(t *testing.T, method, path, operation string, changes ...string) string {
	t.Helper()
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(operation, changes[i]) {
			t.Fatalf("there is no %q to change", changes[i])
		}
		operation = strings.Replace(operation, changes[i], changes[i+1], 1)
	}
	return `openapi: 3.0.3
info: {title: one, version: 0.0.0}
security: [{bearerAuth: []}]
components:
  securitySchemes:
    bearerAuth: {type: http, scheme: bearer}
    operatorKey: {type: http, scheme: bearer}
paths:
  ` + path + ":\n    " + method + ":" + operation
}

// TestWhatContradictsIsRefused breaks every rule, and nothing but that.
func TestWhatContradictsIsRefused(t *testing.T) {
	const get, post, things = "get", "post", "/org/things"
	security := func(s string) string { return "security: " + s + "\n      operationId" }
	broken := map[string]bool{}
	for _, c := range []struct {
		what, method, path, says string
		changes                  []string
	}{
		{"no policy", get, things, "it has no x-policy", []string{"x-policy", "x-polity"}},
		{"no map", get, things, "it has no x-policy", []string{"x-policy: {", "x-policy: none\n      x-other: {"}},
		{"a field that is missing", get, things, "x-policy has no limiter", []string{"limiter: data, ", ""}},
		{"a field of null", get, things, "x-policy has no scope", []string{"'documents:read'", "null"}},
		{"a field that is unknown", get, things, "x-policy knows no scopes", []string{"scope:", "scopes: [], scope:"}},
		{"a field in another case", get, things, "x-policy knows no Joint", []string{"joint", "Joint"}},
		{"a value of another type", get, things, "read x-policy", []string{"safe: true", "safe: 'true'"}},
		{"an unknown plane", get, things, `there is no plane "member"`, []string{"plane: tenant", "plane: member"}},
		{"an unknown state", get, things, `there is no state "gone"`, []string{"deleting", "gone"}},
		{"an unknown scope", get, things, "the scope is one of its plane", []string{"documents:read", "pictures:read"}},
		{"another plane's scope", get, things, "the scope is one of its plane", []string{"documents:read", "organizations:read"}},
		{"no scope", get, things, "the scope is one of its plane\nx-policy: a scope to read is that of what is safe", []string{"'documents:read'", "none"}},
		{"an unknown limiter", get, things, "the limiter is one of its plane", []string{"limiter: data", "limiter: all"}},
		{"another plane's limiter", get, things, "the limiter is one of its plane", []string{"limiter: data", "limiter: login"}},
		{"unknown streams", get, things, "streams is none, request, response or both\nx-policy: joint is", []string{"streams: none", "streams: in"}},
		{"a path of nobody's", get, "/things", "the plane is that of the path", nil},
		{"the operator's path", get, "/operator/things", "the plane is that of the path", nil},
		{"the operator's key", get, things, "the plane is that of the security", []string{"operationId", security("[{operatorKey: []}]")}},
		{"no credential", get, things, "the plane is that of the security", []string{"operationId", security("[]")}},
		{"a token or none", get, things, "the plane is that of the security", []string{"operationId", security("[{}, {bearerAuth: []}]")}},
		{"not while active", get, things, "a token is good while", []string{"active, ", ""}},
		{"while suspended", get, things, "a token is good while", []string{"deleting", "suspended"}},
		{"before it is there", get, things, "a token is good while", []string{"deleting", "provisioning"}},
		{"a state twice", get, things, "a state comes once", []string{"deleting", "active"}},
		{"no 423", get, things, "who may be refused for a suspension documents 423", []string{"'423'", "'424'"}},
		{"a PUT that is safe", "put", things, "GET, and no other method", nil},
		{"a PATCH that is safe", "patch", things, "GET, and no other method", nil},
		{"a safe one that is not idempotent", get, things, "what is safe is idempotent\nx-policy: what is repeatable", []string{"idempotent: true", "idempotent: false"}},
		{"an idempotent one that is not repeatable", get, things, "what is idempotent is repeatable", []string{"repeatable: true", "repeatable: false"}},
		{"a key that nothing is said of", get, things, "what is repeatable and not idempotent takes an Idempotency-Key",
			[]string{"responses", "parameters: [{name: Idempotency-Key, in: header, schema: {type: string}}]\n      responses"}},
		{"a scope to read what is changed", post, things, "a scope to read is that of what is safe\nx-policy: joint is", []string{"safe: true", "safe: false"}},
		{"a scope to change what is read", get, things, "a scope to read is that of what is safe", []string{"documents:read", "documents:write"}},
		{"a limiter without 429", get, things, "who has a limiter documents 429", []string{"'429'", "'428'"}},
		{"429 without a limiter", get, things, "who has a limiter documents 429", []string{"limiter: data", "limiter: none"}},
		{"a stream that is none", get, things, "what streams is application/x-ndjson", []string{"streams: none", "streams: response", ", joint: true", ""}},
		{"a stream of nothing", post, things, "what streams is application/x-ndjson", []string{"streams: none", "streams: request", ", joint: true", ""}},
		{"lines that are no stream", get, things, "what streams is application/x-ndjson",
			[]string{"{description: Good.}", "{description: Good., content: {application/x-ndjson: {}}}"}},
		{"a probe of a tenant", get, things, "a probe is a public GET", []string{"joint", "probe"}},
		{"joint with a stream", get, things, "joint is of the tenant plane", []string{"streams: none", "streams: response",
			"{description: Good.}", "{description: Good., content: {application/x-ndjson: {}}}"}},
	} {
		_, _, err := Parse(one(t, c.method, c.path, whole, c.changes...))
		if err == nil {
			t.Errorf("%s is not refused", c.what)
			continue
		}
		says := strings.Split(c.says, "\nx-policy: ")
		if lines := strings.Split(err.Error(), "\n"); len(lines) != len(says) || !slices.EqualFunc(lines, says, strings.Contains) {
			t.Errorf("%s: %v, want %q", c.what, err, says)
		}
		for _, r := range rules {
			broken[r.says] = broken[r.says] || strings.Contains(err.Error(), r.says)
		}
	}
	for _, r := range rules {
		if !broken[r.says] {
			t.Errorf("nothing here breaks the rule %q", r.says)
		}
	}
}

// TestEveryWrongOperationIsNamed, not the first to come.
func TestEveryWrongOperationIsNamed(t *testing.T) {
	const wrong = "limiter: surely"
	_, all, err := Parse(strings.ReplaceAll(orgd.OpenAPI, "limiter: none", wrong))
	if want := strings.Count(orgd.OpenAPI, "limiter: none}") + strings.Count(orgd.OpenAPI, "limiter: none,"); err == nil ||
		strings.Count(err.Error(), "the limiter is one of its plane") != want || want == 0 || len(all) == 0 {
		t.Errorf("%v", err)
	}
}

// TestTheHeadExplainsEveryField: it, and every value that a field may have, is in the head
// of the contract; and of the scopes and limiters there is none that no operation has.
func TestTheHeadExplainsEveryField(t *testing.T) {
	head, _, _ := strings.Cut(orgd.OpenAPI, "\ninfo:")
	_, all, err := Parse(orgd.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, o := range all {
		used[string(o.Scope)], used[string(o.Limiter)] = true, true
	}
	words := slices.Concat(required, optional, names(states), names(streams))
	for plane := range scopes {
		words = append(words, string(plane))
		for _, name := range slices.Concat(names(scopes[plane]), names(limiters[plane])) {
			if words = append(words, name); !used[name] {
				t.Errorf("no operation has %s", name)
			}
		}
	}
	for _, word := range words {
		if !strings.Contains(head, "`"+word+"`") {
			t.Errorf("the head of openapi.yaml does not explain `%s`", word)
		}
	}
}

// names are the names of some values.
func names[S ~string](values []S) (all []string) {
	for _, v := range values {
		all = append(all, string(v))
	}
	return all
}
