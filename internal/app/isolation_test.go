package app_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/orgd/orgd/internal/app"
	"github.com/orgd/orgd/internal/app/apptest"
	"github.com/orgd/orgd/internal/contracttest"
)

const isolationKey = "Vt7_kQ2.rZ9-pX4~mB6+wN1/cL8=hD3yS5gF0jA" // OPERATOR_KEY

// A party is one of two organizations that have everything of the same name: ids of
// documents, indexes, keys for idempotency; and in all of it marks of its own.
type party struct {
	account
	mark     string   // in names and values of documents
	secrets  []string // no answer to another party may hold these
	etags    map[string]string
	pages    map[string]string // cursor by the query it is of
	ops      []string          // ids of operations
	opCursor string
	keyed    string // the body that came with the idempotency key
}

const (
	sharedKey = "the-same-idempotency-key"
	sharedOID = "6b2f00000000000000000001"
)

// listQueries are lists that both parties can ask for, each with a filter and a sort
// of its own.
var listQueries = []string{
	"", "sort=_id", "sort=-_id", "sort=n", "sort=-n", "filter=" + url.QueryEscape(`{"n":{"$gte":0}}`),
	"sort=n&filter=" + url.QueryEscape(`{"kind":"shared"}`),
}

// queryBody is one of listQueries, and texts besides, as a body.
func queryBody(query string, pairs ...string) string {
	values, err := url.ParseQuery(query)
	if err != nil {
		panic(err) // one of listQueries
	}
	body := map[string]any{}
	for name := range values {
		if body[name] = values.Get(name); name == "filter" {
			body[name] = json.RawMessage(values.Get(name))
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		body[pairs[i]] = pairs[i+1]
	}
	return asJSON(body)
}

// party makes an organization and gives it the same as every other.
func (w *world) party(t *testing.T, name string) *party {
	t.Helper()
	p := &party{mark: name + "Mark" + strings.ReplaceAll(uuid.NewString(), "-", ""), etags: map[string]string{}, pages: map[string]string{}}
	p.account = account{name: name + " of " + uuid.NewString()[:8], email: "boss" + uuid.NewString() + "@" + strings.ToLower(name) + ".example", password: "password of " + p.mark}
	made := w.signUp(p.name, p.email, p.password).is(201)
	p.id, p.adminID, p.collection = made.text("id"), made.text("admin_id"), made.text("collection_name")
	p.auth = w.bearer(p.account)
	w.do("PUT", "/operator/organizations/"+p.id+"/quota", fmt.Sprintf(`{"max_bytes":%d}`, 900_000_000+rand.IntN(1e8)), "Authorization: Bearer "+isolationKey).is(200)

	w.do("POST", "/org/indexes", `{"name":"by_n","keys":[{"path":"n"}]}`, p.auth).is(201)
	w.do("POST", "/org/indexes", `{"name":"by_u","keys":[{"path":"u"}],"unique":true}`, p.auth).is(201)
	w.do("POST", "/org/indexes", fmt.Sprintf(`{"name":"own_%s","keys":[{"path":%q}]}`, p.mark, p.mark), p.auth).is(201)
	for i, id := range []string{"shared1", "shared2", "shared3", "shared4", sharedOID, "own" + p.mark} {
		body := fmt.Sprintf(`{"kind":"shared","n":%d,"u":"u%d","v":%d,"secret":%q,%q:%d}`, i/2, i, i, p.mark, p.mark, i)
		a := w.do("PUT", "/org/documents/"+id, body, p.auth).is(201)
		p.etags[id] = a.header.Get("ETag")
	}
	p.keyed = fmt.Sprintf(`{"kind":"shared","u":"keyed","n":7,"secret":%q}`, p.mark)
	keyed := w.do("POST", "/org/documents", p.keyed, p.auth, "Idempotency-Key: "+sharedKey).is(201)
	p.etags[oidOf(keyed.body)] = keyed.header.Get("ETag")
	w.do("PUT", "/org/update", `{}`, p.auth).is(200)
	for _, q := range listQueries {
		p.pages[q] = w.do("GET", "/org/documents?limit=2&"+q, "", p.auth).is(200).text("next_cursor")
		if p.pages[q] == "" {
			t.Fatalf("no second page of %q", q)
		}
	}
	ops := w.do("GET", "/org/operations?limit=1", "", p.auth).is(200)
	p.opCursor = ops.text("next_cursor")
	items, _ := w.do("GET", "/org/operations", "", p.auth).is(200).fields["items"].([]any)
	for _, item := range items {
		op, _ := item.(map[string]any)
		p.ops = append(p.ops, fmt.Sprint(op["id"]))
	}
	if len(p.ops) < 2 || p.opCursor == "" {
		t.Fatalf("operations %v, cursor %q", p.ops, p.opCursor)
	}
	p.secrets = append([]string{p.mark, p.email, p.adminID, strings.TrimPrefix(p.auth, "Authorization: Bearer "), p.opCursor}, p.ops...)
	for id, etag := range p.etags {
		p.secrets = append(p.secrets, strings.Trim(etag, `"`))
		if id != sharedOID && len(id) == 24 {
			p.secrets = append(p.secrets, id) // one that the server drew
		}
	}
	for _, cursor := range p.pages {
		p.secrets = append(p.secrets, cursor)
	}
	return p
}

// oidOf is the ObjectId that a document begins with.
func oidOf(body string) string {
	_, rest, _ := strings.Cut(body, `"$oid":"`)
	return rest[:24]
}

// state is all that a party can see of its own.
func (w *world) state(p *party) string {
	w.t.Helper()
	all := ""
	for _, path := range []string{"/org/export?canonical=true", "/org/indexes", "/org/stats", "/org/operations?limit=100",
		"/org/get?organization_name=" + url.QueryEscape(p.name), "/org/documents?limit=1000&count=true"} {
		all += w.do("GET", path, "", p.auth).is(200).body
	}
	for id, etag := range p.etags {
		if got := w.do("GET", "/org/documents/"+id, "", p.auth).is(200).header.Get("ETag"); got != etag {
			all += id + " has changed to " + got
		}
	}
	return all
}

// A trespass is one party, me, that asks for what is the other's, theirs.
type trespass struct {
	*world
	me, theirs *party
	asked      int
}

// ask sends a request with my token, and fails the test if the answer holds anything of
// theirs that the request did not hold itself.
func (x *trespass) ask(method, path, body string, headers ...string) answer {
	x.t.Helper()
	return x.askAs(x.me.auth, method, path, body, headers...)
}

func (x *trespass) askAs(auth, method, path, body string, headers ...string) answer {
	x.t.Helper()
	x.asked++
	if auth != "" {
		headers = append(headers, auth)
	}
	a := x.do(method, path, body, headers...)
	known, _ := url.QueryUnescape(path)
	known += "\n" + path + "\n" + body + "\n" + strings.Join(headers, "\n")
	text := a.body
	for name, values := range a.header {
		text += "\n" + name + ": " + strings.Join(values, ", ")
	}
	for _, secret := range x.theirs.secrets {
		if strings.Contains(text, secret) && !strings.Contains(known, secret) {
			x.t.Errorf("%s %s\n%s\nanswers %d with %q, which is of another organization:\n%s", method, path, body, a.status, secret, text)
		}
	}
	return a
}

func only(id string) string { return "/org/documents/" + id }

// trespasses has, for every operation of the contract, all that one organization can
// try to get at another's data with.
var trespasses = map[string]func(*trespass){
	"createOrganization": func(x *trespass) {
		const path = "/org/create"
		x.ask("POST", path, object("organization_name", x.theirs.name, "email", newEmail(), "password", password)).is(409, "name_taken")
		x.ask("POST", path, object("organization_name", strings.ToUpper(x.theirs.name), "email", newEmail(), "password", password)).is(409, "name_taken")
		x.ask("POST", path, object("organization_name", "Free "+uuid.NewString(), "email", x.theirs.email, "password", password)).is(409, "email_taken")
		x.ask("POST", path, `{"organization_name":"Free","email":"a@b.example","password":"12345678","collection_name":"`+x.theirs.collection+`"}`).is(400, "malformed")
		// Their key was one of documents, and of their organization.
		fresh := object("organization_name", "Fresh "+uuid.NewString(), "email", newEmail(), "password", password)
		key := "Idempotency-Key: " + sharedKey + uuid.NewString()
		a := x.ask("POST", path, fresh, key).is(201)
		if a.text("collection_name") == x.theirs.collection || a.header.Get("Idempotency-Replayed") != "" {
			x.t.Errorf("made %s", a.body)
		}
		// And a key that another party has used here is free.
		other := object("organization_name", "Other "+uuid.NewString(), "email", newEmail(), "password", password)
		if b := x.ask("POST", path, other, key).is(201); b.text("id") == a.text("id") || b.header.Get("Idempotency-Replayed") != "" {
			x.t.Errorf("made %s", b.body)
		}
	},
	"getOrganization": func(x *trespass) {
		a := x.ask("GET", "/org/get?organization_name="+url.QueryEscape(x.theirs.name), "").is(200)
		if got := strings.Join(a.keys(), " "); got != "collection_name created_at id organization_name state" {
			x.t.Errorf("another organization sees %s", got)
		}
	},
	"updateOrganization": func(x *trespass) {
		for _, headers := range [][]string{nil, {"Prefer: respond-async"}} {
			x.ask("PUT", "/org/update", object("organization_name", x.theirs.name), headers...).is(409, "name_taken")
			x.ask("PUT", "/org/update", object("email", x.theirs.email), headers...).is(409, "email_taken")
			x.ask("PUT", "/org/update", object("id", x.theirs.id), headers...).is(400, "malformed")
			x.ask("PUT", "/org/update", object("collection_name", x.theirs.collection), headers...).is(400, "malformed")
		}
		x.ask("PUT", "/org/update", `{}`).is(200)
		a := x.ask("PUT", "/org/update", `{}`, "Prefer: respond-async").is(202)
		x.askAs(x.theirs.auth, "GET", a.header.Get("Location"), "").is(404, "not_found")
		x.settled(a.header.Get("Location"))
	},
	"deleteOrganization": func(x *trespass) {
		// A third, which has all the same.
		third := x.party(x.t, "Third")
		a := x.askAs(third.auth, "DELETE", "/org/delete", "").is(200)
		if strings.Contains(a.body, x.theirs.collection) || strings.Contains(a.body, x.me.collection) {
			x.t.Errorf("deleted %s", a.body)
		}
		for _, path := range []string{"/org/documents", "/org/export", "/org/indexes", "/org/stats", "/org/operations", only("shared1")} {
			x.askAs(third.auth, "GET", path, "").is(401, "token_revoked")
		}
		x.ask("DELETE", "/org/delete?id="+x.theirs.id, "").is(400, "malformed")
	},
	"listOperations": func(x *trespass) {
		// Their cursor is a place in time, at most.
		if a := x.ask("GET", "/org/operations?cursor="+x.theirs.opCursor, ""); a.status != 200 {
			a.is(422, "invalid")
		}
		x.ask("GET", "/org/operations?limit=100", "").is(200)
		x.ask("GET", "/org/operations?cursor="+x.theirs.pages[""], "")
	},
	"getOperation": func(x *trespass) {
		for _, id := range x.theirs.ops {
			x.ask("GET", "/org/operations/"+id, "").is(404, "not_found")
		}
		x.ask("GET", "/org/operations/"+x.theirs.id, "").is(404, "not_found")
	},
	"listDocuments": func(x *trespass) {
		for q, cursor := range x.theirs.pages {
			x.ask("GET", "/org/documents?limit=2&"+q+"&cursor="+cursor, "").is(400, "malformed").blames("cursor")
			x.ask("GET", "/org/documents?limit=2&"+q+"&count=true&fields=secret&cursor="+cursor, "").is(400, "malformed").blames("cursor")
		}
		for _, q := range listQueries {
			a := x.ask("GET", "/org/documents?limit=1000&count=true&"+q, "").is(200)
			if !strings.Contains(a.body, x.me.mark) {
				x.t.Errorf("own documents are missing: %s", a.body)
			}
		}
		x.ask("GET", "/org/documents?sort="+x.theirs.mark, "").is(400, "no_index")
		filters := []string{`{"secret":"` + x.theirs.mark + `"}`, `{"` + x.theirs.mark + `":{"$exists":true}}`, `{"_id":"own` + x.theirs.mark + `"}`,
			`{"$or":[{"secret":"` + x.theirs.mark + `"}]}`}
		for _, f := range filters {
			a := x.ask("GET", "/org/documents?count=true&filter="+url.QueryEscape(f), "").is(200)
			if a.body != `{"items":[],"total":0}`+"\n" {
				x.t.Errorf("%s: %s", f, a.body)
			}
		}
		for _, f := range []string{`{"_rev":{"$exists":true}}`, `{"$where":"1"}`, `{"$expr":{}}`, `{"_rev":` + x.theirs.etags["shared1"] + `}`} {
			x.ask("GET", "/org/documents?filter="+url.QueryEscape(f), "").is(400, "malformed")
		}
	},
	"queryDocuments": func(x *trespass) {
		const path = "/org/documents/query"
		for q, cursor := range x.theirs.pages {
			x.ask("POST", path, queryBody(q, "cursor", cursor)).is(400, "malformed").blames("#/cursor")
			if a := x.ask("POST", path, queryBody(q)).is(200); !strings.Contains(a.body, x.me.mark) {
				x.t.Errorf("own documents are missing: %s", a.body)
			}
		}
		for _, f := range []string{`{"secret":"` + x.theirs.mark + `"}`, `{"` + x.theirs.mark + `":{"$exists":true}}`} {
			if a := x.ask("POST", path, `{"count":true,"filter":`+f+`}`).is(200); a.body != `{"items":[],"total":0}`+"\n" {
				x.t.Errorf("%s: %s", f, a.body)
			}
		}
		x.ask("POST", path, `{"filter":{"_rev":`+x.theirs.etags["shared1"]+`}}`).is(400, "malformed").blames("#/filter")
		x.ask("POST", path, object("sort", x.theirs.mark)).is(400, "no_index").blames("#/sort")
		x.ask("POST", path, object("collection", x.theirs.collection)).is(400, "malformed").blames("#/collection")
		x.ask("POST", path, object("org_id", x.theirs.id)).is(400, "malformed").blames("#/org_id")
	},
	"createDocument": func(x *trespass) {
		own := fmt.Sprintf(`{"_id":"own%s","u":"u5%s"}`, x.theirs.mark, uuid.NewString())
		x.ask("POST", "/org/documents", own).is(201)
		x.ask("DELETE", only("own"+x.theirs.mark), "").is(204)
		// The key, with my body of then and with theirs: mine is mine again, theirs I have never sent.
		again := x.ask("POST", "/org/documents", x.me.keyed, "Idempotency-Key: "+sharedKey).is(201)
		if again.header.Get("Idempotency-Replayed") != "true" || !strings.Contains(again.body, x.me.mark) {
			x.t.Errorf("%v %s", again.header, again.body)
		}
		x.ask("POST", "/org/documents", x.theirs.keyed, "Idempotency-Key: "+sharedKey).is(422, "idempotency_key_reused")
		// A key that they have used and I have not, with the very same body.
		key, body := "Idempotency-Key: "+uuid.NewString(), `{"n":99}`
		x.askAs(x.theirs.auth, "POST", "/org/documents", body, key).is(201)
		theirs := x.askAs(x.theirs.auth, "POST", "/org/documents", body, key).is(201)
		mine := x.ask("POST", "/org/documents", body, key).is(201)
		if theirs.header.Get("Idempotency-Replayed") != "true" || mine.header.Get("Idempotency-Replayed") != "" ||
			mine.body == theirs.body || mine.header.Get("ETag") == theirs.header.Get("ETag") {
			x.t.Errorf("mine is %v %s, theirs %v %s", mine.header, mine.body, theirs.header, theirs.body)
		}
		x.ask("GET", theirs.header.Get("Location"), "").is(404, "not_found")
		x.askAs(x.theirs.auth, "DELETE", theirs.header.Get("Location"), "").is(204)
		x.ask("DELETE", mine.header.Get("Location"), "").is(204)
	},
	"getDocument": func(x *trespass) {
		for id := range x.theirs.etags {
			a := x.ask("GET", only(id), "")
			if _, both := x.me.etags[id]; !both {
				a.is(404, "not_found")
			} else if !strings.Contains(a.is(200).body, x.me.mark) {
				x.t.Errorf("not my %s: %s", id, a.body)
			}
		}
		for _, path := range []string{"..%2F" + x.theirs.collection, x.theirs.collection + "%2Fshared1", "%2e%2e%2fshared1%00", "shared1%2F..%2Fown" + x.theirs.mark} {
			if a := x.ask("GET", "/org/documents/"+path, ""); a.status != 404 && a.status != 400 {
				x.t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
	},
	"putDocument": func(x *trespass) {
		for id, etag := range x.theirs.etags {
			x.ask("PUT", only(id), `{"taken":1}`, "If-Match: "+etag).is(412, "precondition_failed")
			if _, both := x.me.etags[id]; both {
				continue
			}
			x.ask("PUT", only(id), `{"taken":1}`, "If-Match: *").is(412, "precondition_failed")
			x.ask("PUT", only(id), `{"taken":1}`, "If-None-Match: *").is(201)
			x.ask("PUT", only(id), `{"taken":2}`, "If-Match: "+etag).is(412, "precondition_failed")
			x.ask("DELETE", only(id), "").is(204)
		}
	},
	"patchDocument": func(x *trespass) {
		const patch = "Content-Type: application/merge-patch+json"
		for id, etag := range x.theirs.etags {
			x.ask("PATCH", only(id), `{"taken":1}`, patch, "If-Match: "+etag).is(412, "precondition_failed")
			if _, both := x.me.etags[id]; !both {
				x.ask("PATCH", only(id), `{"taken":1}`, patch).is(404, "not_found")
			}
		}
	},
	"deleteDocument": func(x *trespass) {
		for id, etag := range x.theirs.etags {
			x.ask("DELETE", only(id), "", "If-Match: "+etag).is(412, "precondition_failed")
			if _, both := x.me.etags[id]; !both {
				x.ask("DELETE", only(id), "").is(404, "not_found")
			}
		}
	},
	"listIndexes": func(x *trespass) { x.ask("GET", "/org/indexes", "").is(200) },
	"createIndex": func(x *trespass) {
		// Theirs has this name and these keys; and what would violate it is theirs.
		x.ask("POST", "/org/indexes", fmt.Sprintf(`{"name":"own_%s","keys":[{"path":%q}]}`, x.theirs.mark, x.theirs.mark)).is(201)
		x.ask("DELETE", "/org/indexes/own_"+x.theirs.mark, "").is(204)
		const twice = `{"name":"twice","keys":[{"path":"twice"},{"path":"v"}],"unique":true}`
		for i := range 2 {
			x.askAs(x.theirs.auth, "PUT", only(fmt.Sprint("twice", i)), fmt.Sprintf(`{"twice":1,"u":"t%d"}`, i)).is(201)
		}
		x.ask("PUT", only("twice0"), `{"twice":1,"u":"t0"}`).is(201)
		x.ask("POST", "/org/indexes", twice).is(201)
		x.askAs(x.theirs.auth, "POST", "/org/indexes", twice).is(409, "duplicate_key")
		x.ask("DELETE", "/org/indexes/twice", "").is(204)
		x.ask("DELETE", only("twice0"), "").is(204)
		for i := range 2 {
			x.askAs(x.theirs.auth, "DELETE", only(fmt.Sprint("twice", i)), "").is(204)
		}
	},
	"deleteIndex": func(x *trespass) {
		x.ask("DELETE", "/org/indexes/own_"+x.theirs.mark, "").is(404, "not_found")
		x.ask("DELETE", "/org/indexes/by_n", "").is(204) // mine of the same name
		x.ask("POST", "/org/indexes", `{"name":"by_n","keys":[{"path":"n"}]}`).is(201)
	},
	"getStats": func(x *trespass) {
		a := x.ask("GET", "/org/stats", "").is(200)
		if a.fields["documents"] != float64(len(x.me.etags)) {
			x.t.Errorf("%s, and there are %d documents", a.body, len(x.me.etags))
		}
	},
	"importDocuments": func(x *trespass) {
		for _, conflict := range []string{"fail", "skip", "replace"} {
			body := fmt.Sprintf(`{"_id":"own%s","u":"%s"}`+"\n", x.theirs.mark, uuid.NewString())
			a := x.ask("POST", "/org/import?on_conflict="+conflict, body, asLines).is(200)
			if !strings.Contains(a.body, `"inserted":1,"replaced":0,"skipped":0,"failed":0,"complete":true`) {
				x.t.Errorf("%s: %s", conflict, a.body)
			}
			x.ask("DELETE", only("own"+x.theirs.mark), "").is(204)
		}
	},
	"exportDocuments": func(x *trespass) {
		a := x.ask("GET", "/org/export", "").is(200)
		if !strings.Contains(a.body, x.me.mark) || !strings.HasSuffix(a.body, fmt.Sprintf(`{"_trailer":{"documents":%d,"complete":true}}`+"\n", len(x.me.etags))) {
			x.t.Errorf("exported %s", a.body)
		}
		for _, f := range []string{`{"secret":"` + x.theirs.mark + `"}`, `{"_id":"own` + x.theirs.mark + `"}`} {
			if a := x.ask("GET", "/org/export?filter="+url.QueryEscape(f), "").is(200); a.body != `{"_trailer":{"documents":0,"complete":true}}`+"\n" {
				x.t.Errorf("%s: %s", f, a.body)
			}
		}
	},
	"exportQuery": func(x *trespass) {
		a := x.ask("POST", "/org/export", `{"canonical":true}`).is(200)
		if !strings.Contains(a.body, x.me.mark) || !strings.HasSuffix(a.body, fmt.Sprintf(`{"_trailer":{"documents":%d,"complete":true}}`+"\n", len(x.me.etags))) {
			x.t.Errorf("exported %s", a.body)
		}
		filter := `{"filter":{"secret":"` + x.theirs.mark + `"}}`
		if a := x.ask("POST", "/org/export", filter).is(200); a.body != `{"_trailer":{"documents":0,"complete":true}}`+"\n" {
			x.t.Errorf("%s: %s", filter, a.body)
		}
		x.ask("POST", "/org/export", object("org_id", x.theirs.id)).is(400, "malformed").blames("#/org_id")
	},
	"login": func(x *trespass) {
		x.ask("POST", "/admin/login", object("email", x.theirs.email, "password", x.me.password)).is(401, "bad_credentials")
		if a := x.ask("POST", "/admin/login", object("email", x.me.email, "password", x.me.password)).is(200); a.text("org_id") != x.me.id || a.text("admin_id") != x.me.adminID {
			x.t.Errorf("logged in as %s of %s", a.text("admin_id"), a.text("org_id"))
		}
	},
	"listOrganizations":   func(x *trespass) { x.ask("GET", "/operator/organizations", "").is(401, "unauthenticated") },
	"inspectOrganization": func(x *trespass) { x.asOperator("GET", "", "") },
	"suspendOrganization": func(x *trespass) { x.asOperator("POST", "/suspend", "") },
	"resumeOrganization":  func(x *trespass) { x.asOperator("POST", "/resume", "") },
	"restoreOrganization": func(x *trespass) { x.asOperator("POST", "/restore", "") },
	"setQuota":            func(x *trespass) { x.asOperator("PUT", "/quota", `{"max_documents":1}`) },
	"getLiveness":         func(x *trespass) { x.ask("GET", "/livez", "").is(200) },
	"getReadiness":        func(x *trespass) { x.ask("GET", "/readyz", "").is(200) },
	"getContractYAML":     func(x *trespass) { x.ask("GET", "/openapi.yaml", "").is(200) },
	"getContractJSON":     func(x *trespass) { x.ask("GET", "/openapi.json", "").is(200) },
	"getDocs":             func(x *trespass) { x.ask("GET", "/docs", "").is(200) },
}

// asOperator asks for what the operator alone can, for them and for me.
func (x *trespass) asOperator(method, what, body string) {
	x.t.Helper()
	for _, p := range []*party{x.theirs, x.me} {
		x.ask(method, "/operator/organizations/"+p.id+what, body).is(401, "unauthenticated")
	}
}

// settled waits for an operation of mine.
func (x *trespass) settled(path string) {
	x.t.Helper()
	for began := time.Now(); x.ask("GET", path, "").is(200).text("state") == "running"; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			x.t.Fatalf("%s does not end", path)
		}
	}
}

// TestIsolation: two organizations that have everything of the same name, and every
// operation with the token of one and what is the other's: it gets its own, or
// nothing. What the other has is afterwards as it was.
func TestIsolation(t *testing.T) {
	t.Parallel()
	contract, err := contracttest.Load()
	if err != nil {
		t.Fatal(err)
	}
	operations, err := contract.Operations()
	if err != nil {
		t.Fatal(err)
	}
	for id := range trespasses {
		if !slices.ContainsFunc(operations, func(o contracttest.Operation) bool { return o.ID == id }) {
			t.Errorf("trespasses has %s, which is no operation", id)
		}
	}
	onEachEngine(t, func(t *testing.T, w *world) {
		w.longOnMongoDB()
		red, blue := w.party(t, "Red"), w.party(t, "Blue")
		for _, o := range operations {
			f := trespasses[o.ID]
			if f == nil {
				t.Errorf("trespasses does not say what one organization can try on another with %s", o.ID)
				continue
			}
			for _, x := range []*trespass{{world: w, me: blue, theirs: red}, {world: w, me: red, theirs: blue}} {
				before := w.state(x.theirs)
				f(x)
				if o.Scheme == "bearerAuth" && !strings.Contains(o.Path, "{") {
					x.strangers(o)
				}
				if after := w.state(x.theirs); after != before {
					t.Fatalf("%s has changed another organization from\n%s\nto\n%s", o.ID, before, after)
				}
				if x.asked == 0 {
					t.Errorf("nothing was tried with %s", o.ID)
				}
			}
		}
	}, "OPERATOR_KEY="+isolationKey)
}

// onEachEngine is eachEngine with variables.
func onEachEngine(t *testing.T, f func(*testing.T, *world), env ...string) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		f(t, start(t, env...))
	})
	t.Run("MongoDB", func(t *testing.T) {
		t.Parallel()
		f(t, startMongo(t, env...))
	})
}

// strangers asks with parameters that other services take for whose data it is.
func (x *trespass) strangers(o contracttest.Operation) {
	x.t.Helper()
	if o.ID == "deleteOrganization" { // said there
		return
	}
	for _, name := range []string{"org_id", "organization_id", "tenant", "collection", "admin_id"} {
		body := ""
		if o.Body != nil && o.Lines == nil {
			body = `{}`
		}
		query := "?" + name + "=" + x.theirs.id
		if o.ID == "getOrganization" {
			query += "&organization_name=" + url.QueryEscape(x.me.name)
		}
		x.ask(o.Method, o.Path+query, body).is(400, "malformed")
	}
	if o.Method == "GET" && o.ID != "getOrganization" {
		own := x.do("GET", o.Path, "", x.me.auth).is(200).body
		for _, name := range []string{"X-Org-Id", "X-Organization-Id", "X-Tenant", "X-Collection"} {
			if a := x.ask("GET", o.Path, "", name+": "+x.theirs.id).is(200); a.body != own && o.ID != "listDocuments" { // of which the cursor is another each time
				x.t.Errorf("%s has an effect on %s: %s", name, o.ID, a.body)
			}
		}
	}
}

// TestCursorsThatWereNotGiven: a cursor of another query, changed, cut, or of another
// secret is refused, and one that was given is good on after a start.
func TestCursorsThatWereNotGiven(t *testing.T) {
	t.Parallel()
	seed := seedOf(t)
	onEachEngine(t, func(t *testing.T, w *world) {
		w.longOnMongoDB()
		r := rand.New(rand.NewPCG(seed, 0))
		p := w.party(t, "Red")
		refuse := func(what, query, cursor string) {
			t.Helper()
			a := w.do("GET", "/org/documents?limit=2&"+query+"&cursor="+url.QueryEscape(cursor), "", p.auth)
			if a.status != 400 || a.text("code") != "malformed" {
				t.Fatalf("%s of %q: %d %s", what, query, a.status, a.body)
			}
			a.blames("cursor")
		}
		take := func(w *world, query string) string {
			t.Helper()
			return w.do("GET", "/org/documents?limit=2&"+query+"&cursor="+p.pages[query], "", p.auth).is(200).body
		}
		scope := func(query string) string { // of which _id ascending is the default
			return strings.Trim(strings.ReplaceAll(query, "sort=_id", ""), "&")
		}
		cuts, flips := 8, 40
		if long() {
			cuts, flips = 1000, 2000
		}
		for query, cursor := range p.pages {
			take(w, query)
			for _, other := range listQueries {
				if scope(other) != scope(query) {
					refuse("a cursor of another query", other, cursor)
				}
			}
			if !strings.Contains(query, "filter=") {
				refuse("a cursor of another filter", query+"&filter="+url.QueryEscape(`{"n":{"$gte":-1}}`), cursor)
			}
			for i := range min(cuts, len(cursor)-1) {
				n := 1 + i
				if cuts < len(cursor) {
					n = 1 + r.IntN(len(cursor)-1)
				}
				refuse("the beginning of a cursor", query, cursor[:n])
				refuse("the end of a cursor", query, cursor[n:])
			}
			raw, err := base64.RawURLEncoding.DecodeString(cursor)
			if err != nil {
				t.Fatal(err)
			}
			for i := range min(flips, 8*len(raw)) {
				bit := i
				if flips < 8*len(raw) {
					bit = r.IntN(8 * len(raw))
				}
				wrong := slices.Clone(raw)
				wrong[bit/8] ^= 1 << (bit % 8)
				refuse(fmt.Sprintf("a cursor with bit %d flipped", bit), query, base64.RawURLEncoding.EncodeToString(wrong))
			}
			for what, wrong := range map[string]string{
				"with more behind it": cursor + "A", "with itself behind it": cursor + cursor, "padded": cursor + "=", "with a line break": cursor + "\n",
				"in upper case": strings.ToUpper(cursor), "made up": "AAAA", "of operations": p.opCursor, "empty in base64": "A",
			} {
				refuse("a cursor "+what, query, wrong)
			}
		}
		before := map[string]string{}
		for query := range p.pages {
			before[query] = itemsOf(take(w, query))
		}
		again := func(secret string) *world {
			t.Helper()
			cfg := w.Config
			cfg.JWTSecret = app.NewSecret(secret)
			o := *w
			o.Server = apptest.StartWith(t, cfg)
			o.journal.follow(o.Server)
			return &o
		}
		w.Stop(t)
		w = again(jwtSecret)
		for query := range p.pages {
			if got := itemsOf(take(w, query)); got != before[query] {
				t.Errorf("%q after a start: %s, before %s", query, got, before[query])
			}
		}
		w.Stop(t)
		w = again(strings.ToUpper(jwtSecret))
		w.do("GET", "/org/documents", "", p.auth).is(401, "unauthenticated")
		p.auth = w.bearer(p.account)
		for query, cursor := range p.pages {
			refuse("a cursor of another secret", query, cursor)
		}
	}, "OPERATOR_KEY="+isolationKey)
}

// seedOf is what a test draws from: another each time, unless ORGD_TEST_SEED says.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("ORGD_TEST_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatalf("ORGD_TEST_SEED: %v", err)
		}
	}
	t.Logf("to have the same again: ORGD_TEST_SEED=%d", seed)
	return seed
}

// long says to take the time.
func long() bool { return os.Getenv("ORGD_TEST_LONG") != "" }

// itemsOf is a page without its cursor.
func itemsOf(body string) string {
	items, _, _ := strings.Cut(body, `"next_cursor"`)
	return items
}
