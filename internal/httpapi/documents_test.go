package httpapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
)

// startData serves an organization's data on the engine that orgd comes with.
func startData(t testing.TB, what ...func(*Config)) *server {
	t.Helper()
	return serve(t, openBackend(t, onDisk(t)), what...)
}

// ask sends a request with a good token and wants that status.
func (s *server) ask(status int, method, path, body string, headers ...string) answer {
	s.t.Helper()
	if method == "PATCH" {
		headers = append(headers, "Content-Type: application/merge-patch+json")
	}
	a := s.do(method, path, body, append(headers, s.bearer())...)
	if a.status != status {
		s.t.Fatalf("%s %s %.200s: %d %s, want %d", method, path, body, a.status, a.body, status)
	}
	return a
}

// refuses wants a problem of that code, with a field error that has a text in it.
func (s *server) refuses(status int, code, detail, method, path, body string, headers ...string) {
	s.t.Helper()
	a := s.ask(status, method, path, body, headers...)
	if a.code() != code || !strings.Contains(a.body, detail) {
		s.t.Errorf("%s %s %.200s: %s, want %s and %q", method, path, body, a.body, code, detail)
	}
}

func TestLifeOfADocument(t *testing.T) {
	s := startData(t)
	made := s.ask(201, "POST", "/org/documents", `{"z":{"$numberLong":"9007199254740993"},"_id":"a b/ü%41","a":1.0}`)
	if made.body != `{"_id":"a b/ü%41","z":{"$numberLong":"9007199254740993"},"a":1.0}`+"\n" {
		t.Errorf("created: %s", made.body)
	}
	at := made.header.Get("Location")
	if at != "/org/documents/a%20b%2F%C3%BC%2541" {
		t.Errorf("Location: %s", at)
	}
	got := s.ask(200, "GET", at, "")
	if got.body != made.body || got.header.Get("ETag") != made.header.Get("ETag") {
		t.Errorf("got %v %s", got.header, got.body)
	}
	put := s.ask(200, "PUT", at, `{"n":1,"gone":{"a":1,"b":[null]}}`, "If-Match: "+got.header.Get("ETag"))
	if put.header.Get("ETag") == got.header.Get("ETag") {
		t.Error("the ETag has stayed")
	}
	patched := s.ask(200, "PATCH", at, `{"n":{"$date":"2026-11-23T12:00:00Z"},"gone":{"a":null,"c":{"d":null,"e":2}},"new":[null]}`)
	if want := `{"_id":"a b/ü%41","n":{"$date":"2026-11-23T12:00:00Z"},"gone":{"b":[null],"c":{"e":2}},"new":[null]}` + "\n"; patched.body != want {
		t.Errorf("patched: %s", patched.body)
	}
	s.refuses(412, "precondition_failed", "", "PUT", at, `{}`, "If-Match: "+got.header.Get("ETag"))
	s.refuses(412, "precondition_failed", "", "PUT", at, `{}`, `If-Match: W/`+patched.header.Get("ETag"))
	s.refuses(412, "precondition_failed", "", "PATCH", at, `{}`, `If-Match: "0", "1"`)
	s.refuses(412, "precondition_failed", "", "PUT", at, `{}`, "If-None-Match: *")
	s.refuses(412, "precondition_failed", "", "DELETE", at, "", `If-Match: "0"`)
	s.ask(204, "DELETE", at, "", `If-Match: "0", `+patched.header.Get("ETag"))
	s.refuses(404, "not_found", "", "GET", at, "")
	s.refuses(404, "not_found", "", "DELETE", at, "")
	s.refuses(404, "not_found", "", "PATCH", at, `{}`)
	s.refuses(412, "precondition_failed", "", "PATCH", at, `{}`, "If-Match: *")
	s.refuses(412, "precondition_failed", "", "PUT", at, `{}`, "If-Match: *")
	s.refuses(412, "precondition_failed", "", "DELETE", at, "", "If-Match: *")
	s.ask(201, "PUT", at, `{}`, "If-None-Match: *")
}

func TestIDs(t *testing.T) {
	s := startData(t)
	const hex = "0123456789abcdef01234567"
	made := s.ask(201, "POST", "/org/documents", `{}`)
	if !strings.HasPrefix(made.body, `{"_id":{"$oid":"`) {
		t.Errorf("made %s", made.body)
	}
	s.ask(200, "GET", made.header.Get("Location"), "")
	put := s.ask(201, "PUT", "/org/documents/"+strings.ToUpper(hex), `{"_id":{"$oid":"`+hex+`"}}`)
	if put.body != `{"_id":{"$oid":"`+hex+`"}}`+"\n" {
		t.Errorf("put %s", put.body)
	}
	s.refuses(409, "document_exists", "", "POST", "/org/documents", `{"_id":{"$oid":"`+hex+`"}}`)
	for _, id := range []string{`"` + hex + `"`, `1`, `null`, `""`, `"."`, `".."`, `{"a":1}`, `[1]`, `"` + strings.Repeat("x", 1025) + `"`} {
		s.refuses(422, "invalid", "#/_id", "POST", "/org/documents", `{"_id":`+id+`}`)
	}
	s.refuses(422, "invalid", "#/_id", "PUT", "/org/documents/a", `{"_id":"b"}`)
	s.refuses(422, "invalid", "#/_id", "PUT", "/org/documents/a", `{"_id":{"$oid":"`+hex+`"}}`)
	s.ask(201, "PUT", "/org/documents/a", `{"_id":"a"}`)
	s.refuses(422, "invalid", "#/_id", "PATCH", "/org/documents/a", `{"_id":null}`)
	s.refuses(422, "invalid", "#/_id", "PATCH", "/org/documents/a", `{"_id":"b"}`)
	s.ask(200, "PATCH", "/org/documents/a", `{"_id":"a"}`)
	s.refuses(400, "malformed", `"parameter":"id"`, "GET", "/org/documents/"+strings.Repeat("x", 1025), "")
	s.ask(404, "GET", "/org/documents/"+strings.Repeat("%C3%BC", 1024), "")
	s.ask(404, "GET", "/org/documents/%FF", "")
	s.refuses(422, "invalid", "#/_id", "PUT", "/org/documents/%2E%2e", `{}`)
}

func TestRefusedDocuments(t *testing.T) {
	s := startData(t)
	for body, want := range map[string]string{
		`{"_a":1}`:                      `{"pointer":"#/_a","detail":"begins with _, which only _id may"}`,
		`{"$a":1}`:                      `"pointer":"#/$a"`,
		`{"a":{"$set":1}}`:              `"pointer":"#/a/$set"`,
		`{"":1}`:                        "empty name",
		`{"a":{"b":1,"b":2}}`:           `{"pointer":"#/a/b","detail":"is given more than once"}`,
		`{"a":{"$oid":"1"}}`:            "ObjectId",
		`{"a":12345678901234567890123}`: "beyond 64 bits",
		`[]`:                            "must be of type object",
		`{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`: "deeper than 100 levels",
		`{"a":` + strings.Repeat(`{"$date":`, 3_000_000):                    "a $date",
	} {
		s.refuses(400, "malformed", want, "POST", "/org/documents", body)
		s.refuses(400, "malformed", want, "PUT", "/org/documents/a", body)
		s.refuses(400, "malformed", want, "PATCH", "/org/documents/a", body)
	}
	s.refuses(400, "malformed", "is required", "PUT", "/org/documents/a", "")
	if a := s.do("PATCH", "/org/documents/a", `{}`, s.bearer()); a.status != 415 || !strings.Contains(a.body, "application/merge-patch+json") {
		t.Errorf("a patch as application/json: %s", a.body)
	}
	large := `{"a":"` + strings.Repeat("x", 16<<20) + `"}`
	s.refuses(413, "too_large", "16 MiB", "PUT", "/org/documents/a", large)
	s.refuses(413, "body_too_large", "33554432", "PUT", "/org/documents/a", `{"a":"`+strings.Repeat("x", 32<<20)+`"}`)
	s.ask(201, "PUT", "/org/documents/a", `{"a":"`+strings.Repeat("x", 16<<20-200)+`"}`)
}

// list reads all pages of a list.
func (s *server) list(query string) (items []string, pages int) {
	s.t.Helper()
	for cursor := ""; ; {
		a := s.ask(200, "GET", "/org/documents?"+query+"&cursor="+cursor, "")
		var page struct {
			Items      []json.RawMessage
			NextCursor string `json:"next_cursor"`
		}
		if err := json.Unmarshal([]byte(a.body), &page); err != nil {
			s.t.Fatal(err)
		}
		for _, item := range page.Items {
			items = append(items, string(item))
		}
		pages++
		if cursor = page.NextCursor; cursor == "" {
			return items, pages
		}
	}
}

func TestLists(t *testing.T) {
	s := startData(t)
	var up, byN []string
	for i := range 25 {
		doc := fmt.Sprintf(`{"_id":"d%02d","n":%d,"a":{"b":%d,"c":1}}`, i, i%3, i)
		s.ask(201, "POST", "/org/documents", doc)
		up = append(up, doc)
	}
	byN = slices.Clone(up)
	slices.SortStableFunc(byN, func(a, b string) int {
		return strings.Compare(a[strings.Index(a, `"n"`):][:5], b[strings.Index(b, `"n"`):][:5])
	})
	down, byNDown := slices.Clone(up), slices.Clone(byN)
	slices.Reverse(down)
	slices.Reverse(byNDown)
	s.refuses(400, "no_index", `POST /org/indexes {\"name\": \"by_n\", \"keys\": [{\"path\": \"n\"}]}`, "GET", "/org/documents?sort=n", "")
	s.ask(201, "POST", "/org/indexes", `{"name":"by_n","keys":[{"path":"n"},{"path":"x.y","order":"desc"}]}`)
	for query, want := range map[string][]string{
		"limit=7": up, "limit=25": up, "limit=7&sort=-_id": down, "limit=4&sort=n": byN, "limit=4&sort=-n": byNDown, "limit=5&sort=n,-x.y": byN,
		"filter=" + url.QueryEscape(`{"n":{"$gt":{"$numberLong":"5"}}}`):  nil,
		"filter=" + url.QueryEscape(`{"_id":{"$lt":"d03"}}`) + "&limit=1": up[:3],
	} {
		got, pages := s.list(query)
		if !slices.Equal(got, want) || strings.Contains(query, "limit=7") && pages != 4 {
			t.Errorf("%s: %d pages of %v\nwant %v", query, pages, got, want)
		}
	}
	a := s.ask(200, "GET", "/org/documents?limit=1&count=true&fields=a.b,zz", "")
	if !strings.HasPrefix(a.body, `{"items":[{"_id":"d00","a":{"b":0}}],"next_cursor":"`) || !strings.HasSuffix(a.body, `,"total":25}`+"\n") {
		t.Errorf("got %s", a.body)
	}
}

func TestRefusedQueries(t *testing.T) {
	s := startData(t)
	for query, want := range map[string]string{
		`filter={"a":{"$regex":"x"}}`:      `$regex at path`,
		`filter={"$where":"x"}`:            "$where",
		`filter={"_rev":1}`:                "begin with _",
		`filter={"$or":[{"_rev":1}]}`:      "begin with _",
		`filter={"a":{"$not":{"$foo":1}}}`: "$foo",
		`filter={"a":1`:                    "not valid JSON",
		`filter=[]`:                        "must be of type object",
		`filter={"a":1,"a":2}`:             "more than once",
		`sort=_rev`:                        "begin with _",
		`sort=a,,b`:                        "it is empty",
		`sort=a,a`:                         "more than once",
		`sort=_id,a`:                       "stands alone",
		`fields=a..b`:                      "part of it is empty",
		`fields=_rev`:                      "begin with _",
		`cursor=abc`:                       "invalid cursor",
		`limit=0`:                          "limit",
		`limit=1001`:                       "limit",
	} {
		name, value, _ := strings.Cut(query, "=")
		s.refuses(400, "malformed", want, "GET", "/org/documents?"+name+"="+url.QueryEscape(value), "")
	}
}

// TestCursorsStayWithinTheirScope: a cursor is good for one organization, filter
// and sort, whatever else is asked for.
func TestCursorsStayWithinTheirScope(t *testing.T) {
	secret := func(c *Config) { c.CursorSecret = []byte("the same on all instances") }
	s := startData(t, secret)
	for i := range 5 {
		s.ask(201, "POST", "/org/documents", fmt.Sprintf(`{"n":%d}`, i))
	}
	var page struct {
		NextCursor string `json:"next_cursor"`
	}
	a := s.ask(200, "GET", "/org/documents?limit=2&filter="+url.QueryEscape(`{"n":{"$gte":0}}`), "")
	if err := json.Unmarshal([]byte(a.body), &page); err != nil {
		t.Fatal(err)
	}
	good := "&cursor=" + page.NextCursor
	s.ask(200, "GET", "/org/documents?limit=3&count=true&filter="+url.QueryEscape(` {"n": {"$gte" : 0}} `)+good, "")
	for _, other := range []string{"", "&filter=" + url.QueryEscape(`{"n":{"$gte":1}}`), "&sort=-_id&filter=" + url.QueryEscape(`{"n":{"$gte":0}}`)} {
		s.refuses(400, "malformed", "invalid cursor", "GET", "/org/documents?limit=2"+other+good, "")
	}
	filter := "&filter=" + url.QueryEscape(`{"n":{"$gte":0}}`)
	s.refuses(400, "malformed", "invalid cursor", "GET", "/org/documents?limit=2"+filter+good+"A", "")

	// Another instance takes it, another organization does not.
	again := serve(t, s.store, secret)
	again.ask(200, "GET", "/org/documents?limit=2"+filter+good, "")
	s.store.create("Globex", "admin@globex.example")
	other := serve(t, s.store, secret)
	other.become("admin@globex.example", password)
	other.ask(200, "GET", "/org/documents?limit=2"+filter, "")
	other.refuses(400, "malformed", "invalid cursor", "GET", "/org/documents?limit=2"+filter+good, "")
}

func TestIndexes(t *testing.T) {
	s := startData(t)
	if a := s.ask(200, "GET", "/org/indexes", ""); a.body != `{"items":[]}`+"\n" {
		t.Errorf("got %s", a.body)
	}
	s.ask(201, "POST", "/org/documents", `{"_id":"a","n":1}`)
	s.ask(201, "POST", "/org/documents", `{"_id":"b","n":1.0}`)
	s.refuses(409, "duplicate_key", "", "POST", "/org/indexes", `{"name":"n","keys":[{"path":"n"}],"unique":true}`)
	s.ask(200, "PATCH", "/org/documents/b", `{"n":2}`)
	for range 2 {
		s.ask(201, "POST", "/org/indexes", `{"name":"n","keys":[{"path":"n"}],"unique":true}`)
	}
	s.refuses(409, "index_exists", "", "POST", "/org/indexes", `{"name":"n","keys":[{"path":"m"}]}`)
	s.refuses(409, "duplicate_key", "", "POST", "/org/documents", `{"n":2}`)
	s.refuses(409, "duplicate_key", "", "PUT", "/org/documents/c", `{"n":2}`)
	s.refuses(409, "duplicate_key", "", "PATCH", "/org/documents/a", `{"n":2}`)
	for _, path := range []string{"_rev", "_id", "a..b", "$a"} {
		s.refuses(422, "invalid", "#/keys", "POST", "/org/indexes", `{"name":"x","keys":[{"path":"`+path+`"}]}`)
	}
	a := s.ask(200, "GET", "/org/stats", "")
	if !strings.Contains(a.body, `"documents":2`) || !strings.Contains(a.body, `"generation":1`) || !strings.Contains(a.body, `"size_bytes":`) || strings.Contains(a.body, `"bytes":0`) {
		t.Errorf("stats: %s", a.body)
	}
	s.ask(204, "DELETE", "/org/indexes/n", "")
	s.refuses(404, "not_found", "", "DELETE", "/org/indexes/n", "")
	s.refuses(404, "not_found", "", "DELETE", "/org/indexes/_id_", "")
	s.ask(201, "POST", "/org/documents", `{"n":2}`)
}

// TestSlowQueries: what takes too long is 503 and says so.
func TestSlowQueries(t *testing.T) {
	const timeout = 50 * time.Millisecond
	s := startData(t, func(c *Config) { c.QueryTimeout = timeout })
	s.store.faulty.On(func(c faulty.Call) error {
		if c.Database == "tenant_db" && (c.Op == "Find" || c.Op == "Count") {
			time.Sleep(2 * timeout)
		}
		return nil
	})
	s.refuses(503, "query_timeout", "index", "GET", "/org/documents?sort=_id", "")
	s.refuses(503, "query_timeout", "50ms", "GET", "/org/stats", "")
	s.store.faulty.On(func(c faulty.Call) error {
		if c.Database == "tenant_db" {
			return docdb.ErrUnavailable
		}
		return nil
	})
	s.refuses(503, "unavailable", "", "GET", "/org/documents", "")
	s.refuses(503, "unavailable", "", "GET", "/org/stats", "")
}
