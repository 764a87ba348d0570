package gates

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const asLines = "Content-Type: application/x-ndjson"

// lines are those of a stream.
func (a answer) lines() []map[string]any {
	a.t.Helper()
	var all []map[string]any
	for line := range strings.Lines(a.body) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			a.t.Fatalf("%v in the line %q", err, line)
		}
		all = append(all, m)
	}
	return all
}

// ends fails the test unless the last line has these values: name, value, name, value.
func (a answer) ends(pairs ...any) answer {
	a.t.Helper()
	all := a.lines()
	if len(all) == 0 {
		a.t.Fatal("there are no lines")
	}
	answer{t: a.t, fields: all[len(all)-1]}.has(pairs...)
	return a
}

// streams: what is imported is exported, and what is refused is told by its line.
func streams(t testing.TB, s setup) {
	w := s.start(t, 0)
	auth := "Authorization: " + w.account(t).auth
	const (
		ada   = `{"_id":"ada","n":{"$numberLong":"9007199254740993"}}`
		grace = `{"_id":"grace","n":1.0}`
	)
	first := w.do(t, "POST", "/org/import", ada+"\n"+ada+"\n\n"+grace, auth, asLines).is(200).
		ends("type", "result", "lines", 3.0, "inserted", 2.0, "failed", 1.0, "complete", true)
	refused := answer{t: t, fields: first.lines()[0]}
	for _, line := range first.lines() {
		if line["type"] == "error" {
			refused.fields = line
		}
	}
	refused.has("line", 2.0, "code", "document_exists")

	all := w.do(t, "GET", "/org/export", "", auth).is(200)
	if want := ada + "\n" + grace + "\n" + `{"_trailer":{"documents":2,"complete":true}}` + "\n"; all.body != want {
		t.Errorf("exported %s, want %s", all.body, want)
	}
	w.do(t, "POST", "/org/import?on_conflict=skip", all.body, auth, asLines).is(200).ends("skipped", 2.0, "failed", 0.0, "complete", true)
	w.do(t, "POST", "/org/import?on_conflict=replace", all.body, auth, asLines).is(200).ends("replaced", 2.0, "complete", true)
	some := w.do(t, "GET", "/org/export?canonical=true&filter="+url.QueryEscape(`{"n":{"$lt":2}}`), "", auth).is(200)
	if want := `{"_id":"grace","n":{"$numberDouble":"1.0"}}` + "\n"; !strings.HasPrefix(some.body, want) || len(some.lines()) != 2 {
		t.Errorf("exported %s, want %s", some.body, want)
	}
	some = w.do(t, "POST", "/org/export", `{"filter":{"n":{"$lt":2}},"canonical":true}`, auth).is(200)
	if want := `{"_id":"grace","n":{"$numberDouble":"1.0"}}` + "\n"; !strings.HasPrefix(some.body, want) || len(some.lines()) != 2 {
		t.Errorf("exported %s, want %s", some.body, want)
	}
	other := "Authorization: " + w.account(t).auth
	if none := w.do(t, "GET", "/org/export", "", other).is(200).lines(); len(none) != 1 {
		t.Errorf("another organization exports %v", none)
	}
}

// export makes a fault that changes the lines of exports.
func export(change func([]string) []string) func(http.Handler) http.Handler {
	return out(func(r *reply) {
		if r.request.URL.Path == "/org/export" && r.status == http.StatusOK && strings.Count(string(r.body), "\n") > 1 {
			r.body = []byte(strings.Join(change(strings.Split(strings.TrimSuffix(string(r.body), "\n"), "\n")), "\n") + "\n")
		}
	})
}
