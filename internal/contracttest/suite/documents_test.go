package suite

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/contracttest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/httpapi"
	"github.com/orgd/orgd/internal/httpapi/contract"
)

// bodyLimit is the largest body that an operation takes.
func bodyLimit(o contracttest.Operation) int {
	for _, m := range o.Body.Content {
		if m.Schema == nil {
			continue
		}
		if m.Schema.Value.Extensions["x-extended-json"] == true {
			return contract.DocumentBodyLimit
		}
		for _, property := range m.Schema.Value.Properties {
			if property.Value.Extensions["x-extended-json"] == true {
				return contract.QueryBodyLimit
			}
		}
	}
	return httpapi.DefaultBodyLimit
}

// stocked says which operation's example makes what another's is about.
var stocked = map[string]string{
	"listDocuments": "putDocument", "queryDocuments": "putDocument", "getDocument": "putDocument", "patchDocument": "putDocument", "deleteDocument": "putDocument",
	"listIndexes": "createIndex", "deleteIndex": "createIndex", "getStats": "createIndex",
}

// stock makes what the examples of an operation are about.
func (w *world) stock(t testing.TB, o contracttest.Operation) {
	t.Helper()
	for _, other := range operations(t) {
		if other.ID != stocked[o.ID] {
			continue
		}
		for _, r := range other.Examples(t) {
			w.asAllowed(t, r).is(201)
		}
	}
}

// documents is the life of documents and indexes, and all that can be wrong with
// requests for them.
func documents(t testing.TB, s setup) {
	w := s.start(t, 0)
	auth := "Authorization: " + w.account(t).auth
	const ada = "/org/documents/ada"
	made := w.do(t, "PUT", ada, `{"n":{"$numberLong":"9007199254740993"},"a":[1.0]}`, auth, "If-None-Match: *").is(201)
	got := w.do(t, "GET", made.header.Get("Location"), "", auth).is(200)
	if got.body != `{"_id":"ada","n":{"$numberLong":"9007199254740993"},"a":[1.0]}`+"\n" || got.header.Get("ETag") != made.header.Get("ETag") {
		t.Errorf("got %v %s", got.header, got.body)
	}
	patch := []string{auth, "Content-Type: application/merge-patch+json"}
	changed := w.do(t, "PATCH", ada, `{"a":null}`, append(patch, "If-Match: "+got.header.Get("ETag"))...).is(200).hasExactly("_id,n")
	if changed.header.Get("ETag") == got.header.Get("ETag") {
		t.Error("the ETag has stayed")
	}
	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		body, headers := `{}`, []string{auth, "If-Match: " + got.header.Get("ETag")}
		switch method {
		case "PATCH":
			headers = append(headers, patch...)
		case "DELETE":
			body = ""
		}
		w.do(t, method, ada, body, headers...).is(412, "precondition_failed")
	}
	w.do(t, "POST", "/org/documents", `{"_id":"ada"}`, auth).is(409, "document_exists")
	w.do(t, "POST", "/org/documents", `{"_id":1}`, auth).is(422, "invalid").blames("_id")
	w.do(t, "PUT", ada, `{"_id":"bob"}`, auth).is(422, "invalid").blames("_id")
	w.do(t, "PATCH", ada, `{"_id":"bob"}`, patch...).is(422, "invalid").blames("_id")
	w.do(t, "PUT", ada, `{"_rev":1}`, auth).is(400, "malformed").blames("_rev")
	large := `{"a":"` + strings.Repeat("x", 16<<20) + `"}`
	w.do(t, "POST", "/org/documents", large, auth).is(413, "too_large")
	w.do(t, "PUT", ada, large, auth).is(413, "too_large")
	w.do(t, "PATCH", ada, large, patch...).is(413, "too_large")
	w.do(t, "PATCH", "/org/documents/eve", `{}`, patch...).is(404, "not_found")
	w.do(t, "GET", "/org/documents/eve", "", auth).is(404, "not_found")
	w.do(t, "PUT", ada, `{"n":1}`, auth).is(200)

	indexes(t, w, auth)
	lists(t, w, auth)

	w.do(t, "DELETE", ada, "", auth).is(204)
	w.do(t, "DELETE", ada, "", auth).is(404, "not_found")
}

// indexes is about a unique one; {_id: ada, n: 1} is there.
func indexes(t testing.TB, w *world, auth string) {
	w.do(t, "PUT", "/org/documents/bob", `{"n":1}`, auth).is(201)
	const byN = `{"name":"by_n","keys":[{"path":"n","order":"desc"}],"unique":true}`
	w.do(t, "POST", "/org/indexes", byN, auth).is(409, "duplicate_key")
	w.do(t, "PUT", "/org/documents/bob", `{"n":2}`, auth).is(200)
	w.do(t, "POST", "/org/indexes", byN, auth).is(201).hasExactly("keys,name,unique").has("name", "by_n", "unique", true)
	w.do(t, "POST", "/org/indexes", strings.ReplaceAll(byN, "true", "false"), auth).is(409, "index_exists")
	w.do(t, "POST", "/org/indexes", strings.ReplaceAll(byN, `"n"`, `"_rev"`), auth).is(422, "invalid").blames("keys")
	w.do(t, "POST", "/org/documents", `{"n":2}`, auth).is(409, "duplicate_key")
	w.do(t, "PUT", "/org/documents/eve", `{"n":2}`, auth).is(409, "duplicate_key")
	w.do(t, "PATCH", "/org/documents/ada", `{"n":2}`, auth, "Content-Type: application/merge-patch+json").is(409, "duplicate_key")
	if list := w.do(t, "GET", "/org/indexes", "", auth).is(200).items(); len(list) != 1 || list[0]["name"] != "by_n" {
		t.Errorf("indexes %v", list)
	}
	w.do(t, "GET", "/org/stats", "", auth).is(200).hasExactly("bytes,documents,generation,index_bytes,indexes").has("documents", 2.0, "generation", 1.0)
	w.do(t, "DELETE", "/org/indexes/eve", "", auth).is(404, "not_found")
}

// lists: {_id: ada, n: 1} and {_id: bob, n: 2} are there, and an index on n.
func lists(t testing.TB, w *world, auth string) {
	first := w.do(t, "GET", "/org/documents?sort=-n&limit=1&count=true&fields=n", "", auth).is(200).hasExactly("items,next_cursor,total").has("total", 2.0)
	cursor := "&cursor=" + first.text("next_cursor")
	w.do(t, "PUT", "/org/update", `{}`, auth).is(200) // across a move
	second := w.do(t, "GET", "/org/documents?sort=-n&limit=1"+cursor, "", auth).is(200).hasExactly("items")
	if first.items()[0]["_id"] != "bob" || second.items()[0]["_id"] != "ada" {
		t.Errorf("%s, then %s", first.body, second.body)
	}
	other := "Authorization: " + w.account(t).auth
	w.do(t, "POST", "/org/indexes", `{"name":"by_n","keys":[{"path":"n"}]}`, other).is(201)
	w.do(t, "GET", "/org/documents?sort=-n&limit=1"+cursor, "", other).is(400, "malformed")
	w.do(t, "GET", "/org/documents?limit=1"+cursor, "", auth).is(400, "malformed")
	w.do(t, "GET", "/org/documents?sort=name", "", auth).is(400, "no_index")
	if a := w.do(t, "GET", "/org/documents?filter="+url.QueryEscape(`{"n":{"$where":"x"}}`), "", auth).is(400, "malformed"); !strings.Contains(a.body, "$where") {
		t.Errorf("the problem does not name the operator: %s", a.body)
	}
	queries(t, w, auth, other, first.text("next_cursor"))
	for _, path := range []string{"long1", "long2"} {
		w.do(t, "PUT", "/org/documents/"+path, `{"n":"`+path+strings.Repeat("x", 9000)+`"}`, auth).is(201)
	}
	w.do(t, "GET", "/org/documents?sort=-n&limit=1", "", auth).is(422, "invalid")
	w.do(t, "POST", "/org/documents/query", `{"sort":"-n","limit":1}`, auth).is(422, "invalid")
	w.do(t, "DELETE", "/org/indexes/by_n", "", auth).is(204)
}

// queries are the same in a body, and go on where lists have come to.
func queries(t testing.TB, w *world, auth, other, cursor string) {
	const path = "/org/documents/query"
	first := w.do(t, "POST", path, `{"filter":{"n":{"$gte":1}},"sort":"-n","limit":1,"count":true,"fields":"n"}`, auth).is(200).
		hasExactly("items,next_cursor,total").has("total", 2.0)
	next := "&cursor=" + first.text("next_cursor")
	second := w.do(t, "GET", "/org/documents?sort=-n&limit=1&filter="+url.QueryEscape(`{"n":{"$gte":1}}`)+next, "", auth).is(200).hasExactly("items")
	if first.items()[0]["_id"] != "bob" || second.items()[0]["_id"] != "ada" {
		t.Errorf("%s, then %s", first.body, second.body)
	}
	if one := w.do(t, "POST", path, `{"filter":{"n":{"$lt":2}}}`, auth).is(200).items(); len(one) != 1 || one[0]["_id"] != "ada" {
		t.Errorf("got %v", one)
	}
	after := object("sort", "-n", "cursor", cursor)
	if rest := w.do(t, "POST", path, after, auth).is(200).items(); len(rest) != 1 || rest[0]["_id"] != "ada" {
		t.Errorf("got %v", rest)
	}
	w.do(t, "POST", path, after, other).is(400, "malformed").blames("cursor")
	w.do(t, "POST", path, object("cursor", cursor), auth).is(400, "malformed").blames("cursor")
	w.do(t, "POST", path, `{"sort":"name"}`, auth).is(400, "no_index").blames("sort")
	w.do(t, "POST", path, `{"filter":{"n":{"$where":"x"}}}`, auth).is(400, "malformed").blames("filter")
	long := `{"filter":{"n":{"$in":[1` + strings.Repeat(`,"`+strings.Repeat("x", 100)+`"`, 999) + `]}}}`
	if one := w.do(t, "POST", path, long, auth).is(200).items(); len(one) != 1 || one[0]["_id"] != "ada" {
		t.Errorf("got %v", one)
	}
}

// queryTimeout is that of startFaulty.
const queryTimeout = 2 * time.Second

// slowQueries: a query that takes too long is 503, and is told so.
func slowQueries(t testing.TB, s setup) {
	w := s.startFaulty(t, 0)
	w.expect = []int{http.StatusServiceUnavailable}
	auth := "Authorization: " + w.account(t).auth
	w.faulty.On(func(c faulty.Call) error {
		if c.Database == tenantDB && (c.Op == "Find" || c.Op == "Count") {
			<-c.Context.Done()
		}
		return nil
	})
	w.do(t, "GET", "/org/documents", "", auth).is(503, "query_timeout")
	w.do(t, "POST", "/org/documents/query", `{}`, auth).is(503, "query_timeout")
	w.do(t, "GET", "/org/stats", "", auth).is(503, "query_timeout")
}
