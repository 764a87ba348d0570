package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd"
	"github.com/orgd/orgd/internal/contracttest"
)

// A part is a test that can be run against any setup.
type part struct {
	name string
	run  func(testing.TB, setup)
}

// parts are all there are, those first that are quick and find most.
func parts(t testing.TB) []part {
	t.Helper()
	return slices.Concat([]part{
		{"life", life},
		{"methods", methods},
		{"reads", reads},
		{"large bodies", largeBodies},
		{"limits", limits},
		{"tenant limits", tenantLimits},
		{"idempotency", idempotency},
		{"working", working},
		{"too many keys", tooManyKeys},
		{"quotas", quotas},
		{"suspended", suspended},
		{"operator", operator},
		{"no operator", noOperator},
		{"grace", grace},
		{"full", full},
		{"times", times},
		{"ends", ends},
		{"come again", comeAgain},
		{"async", async},
		{"states", states},
		{"documents", documents},
		{"slow queries", slowQueries},
		{"busy", busy},
		{"streams", streams},
	}, inputParts(t), propertyParts(t), []part{
		{"examples", examples},
		{"unknown faults", unknownFaults},
		{"storage down", storageDown},
		{"half-way", halfWay},
	})
}

// TestTheContract runs every part against orgd as it is.
func TestTheContract(t *testing.T) {
	for _, p := range parts(t) {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.run(t, setup{seen: &seen})
		})
	}
}

// TestExamplesFitTheirSchemas holds the contract against itself.
func TestExamplesFitTheirSchemas(t *testing.T) {
	contract, err := contracttest.Load()
	if err != nil {
		t.Fatal(err)
	}
	if err := contract.CheckExamples(); err != nil {
		t.Error(err)
	}
}

// exampleAccount creates the organization of the contract's example, which is what
// drawn requests are about now and then.
func exampleAccount(t testing.TB, w *world) {
	t.Helper()
	w.first(t, "createOrganization").is(201)
}

// first sends one of an operation's examples.
func (w *world) first(t testing.TB, id string) answer {
	t.Helper()
	for _, o := range operations(t) {
		if o.ID == id {
			for _, r := range o.Examples(t) {
				return w.request(t, r)
			}
		}
	}
	t.Fatalf("the contract has no example of %s", id)
	return answer{}
}

// examples: every example of a request does what it should, on a server where there
// is nothing but the example's organization, whose admin is logged in; and the
// answer has the properties of one of the examples of that answer.
func examples(t testing.TB, s setup) {
	for _, o := range operations(t) {
		for name, r := range o.Examples(t) {
			w := s.start(t, 0)
			if o.ID != "createOrganization" {
				exampleAccount(t, w)
				w.auth = "Bearer " + w.first(t, "login").is(200).text("access_token")
				w.fillIn(t, &r)
				w.stock(t, o)
			}
			if o.Scheme != "" && o.Anonymous {
				w.request(t, r).isExemplary(o, name)
			}
			w.asAllowed(t, r).isExemplary(o, name)
		}
	}
}

func (a answer) isExemplary(o contracttest.Operation, name string) {
	a.t.Helper()
	if a.status < 200 || a.status > 299 {
		a.t.Errorf("the example %s of %s: %d %s", name, o, a.status, a.body)
	}
	documented := o.AnswerKeys(a.status)
	if got := contracttest.Keys(a.fields); len(documented) > 0 && !slices.Contains(documented, got) {
		a.t.Errorf("the answer to the example %s of %s has %s, the contract's examples have %s", name, o, got, documented)
	}
}

// methods: what a path does not have is 405, and what is no path 404.
func methods(t testing.TB, s setup) {
	w := s.start(t, 0)
	contract, err := contracttest.Load()
	if err != nil {
		t.Fatal(err)
	}
	for path, has := range contract.Methods() {
		if slices.Contains(has, "GET") {
			has = append(has, "HEAD")
		}
		path = strings.NewReplacer("{", "", "}", "").Replace(path)
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE"} {
			if slices.Contains(has, method) {
				continue
			}
			a := w.do(t, method, path, "")
			if a.status != 405 || method != "HEAD" && a.text("code") != "method_not_allowed" {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
			}
			for _, one := range has {
				if !strings.Contains(a.header.Get("Allow"), one) {
					t.Errorf("%s %s: Allow is %q, without %s", method, path, a.header.Get("Allow"), one)
				}
			}
		}
		w.do(t, "GET", path+"/nowhere/at/all", "").is(404, "not_found")
	}
}

// reads: what is public is there, by HEAD as by GET, and the contract that
// is served is the contract.
func reads(t testing.TB, s setup) {
	w := s.start(t, 0)
	for _, o := range operations(t) {
		if o.Method != "GET" || o.Scheme != "" || len(o.Parameters) > 0 {
			continue
		}
		get, head := w.do(t, "GET", o.Path, "", "X-Request-Id: of-its-own").is(200), w.do(t, "HEAD", o.Path, "").is(200)
		if head.body != "" || head.header.Get("Content-Type") != get.header.Get("Content-Type") {
			t.Errorf("HEAD %s: %v %q", o.Path, head.header, head.body)
		}
	}
	if w.do(t, "GET", "/openapi.yaml", "").body != orgd.OpenAPI {
		t.Error("GET /openapi.yaml is not openapi.yaml")
	}
	want := asJSON(t, orgd.OpenAPI)
	if diff := cmp.Diff(want, asJSON(t, w.do(t, "GET", "/openapi.json", "").body)); diff != "" {
		t.Errorf("GET /openapi.json is not openapi.yaml (-want +got):\n%s", diff)
	}
}

func asJSON(t testing.TB, contract string) (v any) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(contract))
	if err != nil {
		t.Fatal(err)
	}
	text, err := doc.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// largeBodies: a body past the limit is 413, whether or not it says its length.
func largeBodies(t testing.TB, s setup) {
	w := s.start(t, 0)
	for _, o := range operations(t) {
		if o.Body == nil || o.Lines != nil { // a stream may be of any length
			continue
		}
		if w.auth = ""; o.Scheme != "" {
			w.auth = w.credential(t, o) // of its own: the length is looked at before the credential
		}
		for _, r := range o.Examples(t) {
			r.Body = append(bytes.Repeat([]byte(" "), bodyLimit(o)), r.Body...)
			w.asAllowed(t, r).is(413, "body_too_large")
			req, err := r.HTTP(context.Background(), w.url)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = -1
			if o.Scheme != "" {
				req.Header.Set("Authorization", w.auth)
			}
			w.send(t, req).is(413, "body_too_large")
		}
	}
}

// limits: the attempt after the last one of a minute is 429, and is told when to
// come back. (That there is such a time the Transport sees.)
func limits(t testing.TB, s setup) {
	w := s.start(t, 1)
	bodies := map[string]string{}
	for _, o := range operations(t) {
		if o.Documents(http.StatusTooManyRequests) && o.Scheme == "" {
			for _, r := range o.Examples(t) {
				bodies[o.Path] = string(r.Body)
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(bodies)) {
		if a := w.do(t, "POST", path, bodies[path]); a.status == 429 {
			t.Errorf("POST %s: the first attempt is %d %s", path, a.status, a.body)
		}
		w.do(t, "POST", path, bodies[path]).is(429, "rate_limited")
	}
	w.do(t, "GET", "/org/get?organization_name=Nobody", "").is(404, "not_found")
	w.do(t, "GET", "/org/get?organization_name=Nobody", "").is(429, "rate_limited")
}

// full: a server with as many organizations as it may have takes the next when one has gone.
func full(t testing.TB, s setup) {
	s.maxOrganizations = 1
	w := s.start(t, 0)
	w.expect = []int{http.StatusInsufficientStorage}
	acc := w.account(t)
	acme := object("organization_name", "Acme", "email", "acme@x.example", "password", password)
	w.do(t, "POST", "/org/create", acme, "Idempotency-Key: k").is(507, "quota_exceeded")
	w.do(t, "DELETE", "/org/delete", "", "Authorization: "+acc.auth).is(200)
	w.do(t, "POST", "/org/create", acme, "Idempotency-Key: k").is(201)
	w.do(t, "POST", "/org/create", acme, "Idempotency-Key: k").is(201) // what was made is not refused
}
