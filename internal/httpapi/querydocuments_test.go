package httpapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/httpapi/transfer"
)

// A query is one as both operations take it.
type query map[string]any

const queryPath = "/org/documents/query"

// get is the query in a URL.
func (q query) get() string {
	v := url.Values{}
	for name, value := range q {
		text, isText := value.(string)
		if raw, isRaw := value.(json.RawMessage); isRaw {
			text, isText = string(raw), true
		}
		if !isText {
			text = fmt.Sprint(value)
		}
		v.Set(name, text)
	}
	return "/org/documents?" + v.Encode()
}

// post is the query in a body.
func (q query) post() string {
	text, err := json.Marshal(q)
	if err != nil {
		panic(err) // of JSON values
	}
	return string(text)
}

// pages follows a list to its end: what next says of each page, which gets the cursor.
func (s *server) pages(t rapid.TB, ask func(cursor string) answer) (pages []string) {
	for cursor := ""; ; {
		a := ask(cursor)
		var page struct {
			Items      json.RawMessage
			Total      *int64
			NextCursor string `json:"next_cursor"`
		}
		if err := json.Unmarshal([]byte(a.body), &page); a.status != 200 || err != nil {
			t.Fatalf("%d %s", a.status, a.body)
		}
		pages = append(pages, fmt.Sprintf("%s %v", page.Items, page.Total != nil && *page.Total == 30))
		if cursor = page.NextCursor; cursor == "" {
			return pages
		}
	}
}

// TestQueriesAreLists: whatever is asked for, GET and POST give the same pages, also when
// they take turns with each other's cursors.
func TestQueriesAreLists(t *testing.T) {
	s := startData(t)
	for i := range 30 {
		s.ask(201, "POST", "/org/documents", fmt.Sprintf(`{"_id":"d%02d","n":%d,"a":{"b":%d,"B":1.0},"é":"x"}`, i, i%4, i))
	}
	s.ask(201, "POST", "/org/indexes", `{"name":"by_n","keys":[{"path":"n"},{"path":"a.b","order":"desc"}]}`)
	filters := []string{`{}`, `{"n":{"$gte":2}}`, `{"a":{"b":7,"B":1}}`, `{"a":{"B":1,"b":7}}`, `{"a.b":{"$lt":{"$numberLong":"20"}},"A.b":null}`,
		`{"$or":[{"n":0},{"_id":{"$in":["d01","<&>","é"]}}]}`, `{"é":{"$ne":"y"}}`, `{"n":{"$gt":5e-1}}`}
	rapid.Check(t, func(t *rapid.T) {
		q := query{}
		for name, values := range map[string][]any{
			"sort": {"_id", "-_id", "n", "-n", "n,-a.b"}, "limit": {1, 2, 7, 1000}, "fields": {"n", "a.b,é", "zz"}, "count": {true, false},
		} {
			if rapid.Bool().Draw(t, "with "+name) {
				q[name] = rapid.SampledFrom(values).Draw(t, name)
			}
		}
		if rapid.Bool().Draw(t, "with filter") {
			q["filter"] = json.RawMessage(rapid.SampledFrom(filters).Draw(t, "filter"))
		}
		get := func(cursor string) answer {
			q["cursor"] = cursor
			return s.do("GET", q.get(), "", s.bearer())
		}
		post := func(cursor string) answer {
			q["cursor"] = cursor
			return s.do("POST", queryPath, q.post(), s.bearer())
		}
		n := 0
		inTurn := func(cursor string) answer {
			if n++; n%2 == 0 {
				return get(cursor)
			}
			return post(cursor)
		}
		want := s.pages(t, get)
		for name, ask := range map[string]func(string) answer{"POST": post, "in turn": inTurn} {
			if got := s.pages(t, ask); !slices.Equal(got, want) {
				t.Fatalf("%s: %s\n%s\nand GET\n%s", name, q.post(), got, want)
			}
		}
	})
}

// TestAQueryIsExact: of a filter in a body nothing is lost: neither digits, nor the order of
// names, nor their case.
func TestAQueryIsExact(t *testing.T) {
	s := startData(t)
	for _, doc := range []string{`{"_id":"1","n":9007199254740993}`, `{"_id":"2","n":9007199254740992}`, `{"_id":"3","o":{"b":1,"a":2}}`, `{"_id":"4","x":1,"X":2}`, `{"_id":"5","d":1.0}`} {
		s.ask(201, "PUT", "/org/documents/"+doc[8:9], doc)
	}
	for filter, want := range map[string]string{
		`{"n":9007199254740993}`: "1", `{"n":{"$numberLong":"9007199254740992"}}`: "2", `{"o":{"b":1,"a":2}}`: "3", `{"o":{"a":2,"b":1}}`: "",
		`{"x":1,"X":2}`: "4", `{"X":1,"x":2}`: "", `{"d":1}`: "5", `{"n":1e400}`: "refused", `{"_id":{"$gt":"4"}}`: "5",
	} {
		a := s.do("POST", queryPath, `{"fields":"_id","limit":1e1, "filter" : `+filter+` }`, s.bearer())
		b := s.do("GET", "/org/documents?fields=_id&filter="+url.QueryEscape(filter), "", s.bearer())
		items := `{"items":[]}` + "\n"
		if want != "" {
			items = `{"items":[{"_id":"` + want + `"}]}` + "\n"
		}
		if want == "refused" && a.status != 400 || want != "refused" && a.body != items || a.status != b.status {
			t.Errorf("%s: %d %s, want %s; and GET %d %s", filter, a.status, a.body, want, b.status, b.body)
		}
	}
}

// TestADocumentNamedQuery is none that the query's path hides.
func TestADocumentNamedQuery(t *testing.T) {
	s := startData(t)
	s.ask(201, "PUT", queryPath, `{"n":1}`)
	for _, asked := range [][2]string{{"GET", ""}, {"PATCH", `{"n":2}`}, {"PUT", `{"n":3}`}} {
		if a := s.ask(200, asked[0], queryPath, asked[1]); !strings.Contains(a.body, `"_id":"query"`) {
			t.Errorf("%s: %s", asked[0], a.body)
		}
	}
	s.ask(200, "HEAD", queryPath, "")
	if a := s.ask(200, "POST", queryPath, `{}`); a.body != `{"items":[{"_id":"query","n":3}]}`+"\n" {
		t.Errorf("got %s", a.body)
	}
	s.ask(204, "DELETE", queryPath, "")
}

// TestRefusedQueryBodies: what is refused there points at the property, at a place in it
// where only the body is to blame, and reads like elsewhere.
func TestRefusedQueryBodies(t *testing.T) {
	s := startData(t)
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for body, want := range map[string]string{
		`{"filter":[]}`:            `{"pointer":"#/filter","detail":"must be of type object"}`,
		`{"filter":"{}"}`:          `{"pointer":"#/filter","detail":"must be of type object"}`,
		`{"filter":null}`:          `{"pointer":"#/filter","detail":"must not be null"}`,
		`{"filter":{"a":1,"a":2}}`: `{"pointer":"#/filter/a","detail":"is given more than once"}`,
		`{"filter":{"$oid":"000000000000000000000000"}}`:        `"pointer":"#/filter"`,
		`{"filter":{},"Filter":{}}`:                             `"is given more than once"`,
		`{"Filter":{}}`:                                         `{"pointer":"#/Filter","detail":"there is no such property"}`,
		`{"filter":{},"query":{}}`:                              `{"pointer":"#/query","detail":"there is no such property"}`,
		`{"filter":` + deep(101) + `}`:                          `{"pointer":"#/filter","detail":"is nested deeper than 100 levels"}`,
		`{"filter":` + strings.Repeat(`{"$not":`, 15_000) + `}`: `{"pointer":"#/filter","detail":"is nested deeper than 100 levels"}`,
		`{"filter":` + strings.Repeat(`[`, 15_000) + `}`:        `{"pointer":"#/filter","detail":"is nested deeper than 100 levels"}`,
		`{"limit":` + strings.Repeat(`[`, 15_000) + `}`:         `{"pointer":"#","detail":"is nested deeper than 100 levels"}`,
		`{"limit":"1"}`:                                         `"pointer":"#/limit"`,
		`{"limit":1001}`:                                        `"pointer":"#/limit"`,
		`{"count":1}`:                                           `"pointer":"#/count"`,
		`{"sort":["_id"]}`:                                      `"pointer":"#/sort"`,
		`{"sort":"` + strings.Repeat("x", 8193) + `"}`:          `{"pointer":"#/sort","detail":"must have at most 8192 characters"}`,
		`{"filter":{}`:                                          "is not valid JSON",
		`[]`:                                                    "must be of type object",
		`null`:                                                  `"pointer":"#"`,
		``:                                                      "is required",
	} {
		s.refuses(400, "malformed", want, "POST", queryPath, body)
	}
	s.refuses(400, "no_index", `"pointer":"#/sort"`, "POST", queryPath, `{"sort":"n"}`)
	s.ask(200, "POST", queryPath, `{"filter":{"x":`+deep(98)+`}}`)
	s.ask(415, "POST", queryPath, `{}`, "Content-Type: text/plain")

	most := `{"filter":{"$or":[{"n":1},{"n":"` + strings.Repeat("x", contract.QueryBodyLimit)
	for _, path := range []string{queryPath, "/org/export"} {
		s.refuses(413, "body_too_large", "131072", "POST", path, most+`"}]}}`)
		s.ask(200, "POST", path, most[:contract.QueryBodyLimit-6]+`"}]}}`+" ")
		s.refuses(400, "malformed", `{"pointer":"#/filter","detail":"$where: it is not supported`, "POST", path, `{"filter":{"$where":"x"}}`)
	}
	s.refuses(400, "malformed", `{"pointer":"#/canonical"`, "POST", "/org/export", `{"canonical":"true"}`)
	s.refuses(400, "malformed", "1000 values", "POST", queryPath, `{"filter":{"n":{"$in":[1`+strings.Repeat(",1", 1000)+`]}}}`)
	s.refuses(400, "malformed", "500 operators", "POST", queryPath, `{"filter":{"$or":[{"n":1}`+strings.Repeat(`,{"n":1}`, 501)+`]}}`)
}

// TestALongFilterTakesMemory: what a body has the server remember is the organization's.
func TestALongFilterTakesMemory(t *testing.T) {
	s := startData(t, func(c *Config) { c.Budget = memory.NewBudget(2 << 20) })
	long := `{"filter":{"n":{"$in":["` + strings.Repeat(`x","`, 900) + strings.Repeat("x", 60_000) + `"]}}}`
	for _, path := range []string{queryPath, "/org/export"} {
		s.refuses(503, "unavailable", "no memory", "POST", path, long)
		s.ask(200, "POST", path, `{"filter":{"n":{"$in":["x"]}}}`)
	}
	if used := s.api.Budget.Used(); used != 0 {
		t.Errorf("%d bytes are not given back", used)
	}
}

// TestExportsOfAQuery: POST gives what GET does.
func TestExportsOfAQuery(t *testing.T) {
	s := startData(t)
	for i := range 5 {
		s.ask(201, "POST", "/org/documents", fmt.Sprintf(`{"_id":"d%d","n":%d}`, i, i))
	}
	for _, filter := range []string{`{}`, `{"n":{"$gt":2}}`, `{"n":7}`} {
		for _, canonical := range []string{"false", "true"} {
			want := s.ask(200, "GET", "/org/export?canonical="+canonical+"&filter="+url.QueryEscape(filter), "")
			got := s.ask(200, "POST", "/org/export", `{"filter":`+filter+`,"canonical":`+canonical+`}`)
			if got.body != want.body || got.header.Get("Content-Type") != transfer.LinesType {
				t.Errorf("%s: %s, want %s", filter, got.body, want.body)
			}
		}
	}
	if all := s.ask(200, "POST", "/org/export", `{}`).body; strings.Count(all, "\n") != 6 {
		t.Errorf("exported %s", all)
	}
}
