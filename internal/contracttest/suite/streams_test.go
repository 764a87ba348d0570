package suite

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
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
	first.refuses("2 document_exists")

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
	importLines(t, w, other)
}

// refuses fails the test unless these are the lines that an import refuses, each with why.
func (a answer) refuses(want ...string) answer {
	a.t.Helper()
	var got []string
	for _, line := range a.lines() {
		if line["type"] == "error" {
			got = append(got, fmt.Sprint(line["line"], " ", line["code"]))
		}
	}
	if !slices.Equal(got, want) {
		a.t.Errorf("refused are the lines %q, want %q", got, want)
	}
	return a
}

// importLines: which lines a report is about, whatever they end in, and whatever is
// between them and behind them.
func importLines(t testing.TB, w *world, auth string) {
	const ada, bob = `{"_id":"ada"}`, `{"_id":"bob"}`
	counts := []any{"type", "result", "lines", 5.0, "inserted", 2.0, "failed", 3.0, "complete", true}
	for _, end := range []string{"\n", "\r\n"} {
		for _, last := range []string{"", end, end + end} {
			lines := []string{"", ada, "", " \t ", ada, "", `{"_id":`, bob, "", `{"_id":[]}`}
			w.do(t, "POST", "/org/import", strings.Join(lines, end)+last, auth, asLines).is(200).
				refuses("5 document_exists", "7 malformed", "10 invalid").ends(counts...)
			for _, id := range []string{"ada", "bob"} {
				w.do(t, "DELETE", "/org/documents/"+id, "", auth).is(204)
			}
		}
	}
	w.do(t, "POST", "/org/import", "\n\r\n \n", auth, asLines).is(200).refuses().ends("type", "result", "lines", 0.0, "failed", 0.0, "complete", true)
	w.do(t, "POST", "/org/import", "\n"+ada+"\r", auth, asLines).is(200).refuses().ends("lines", 1.0, "inserted", 1.0)
	w.do(t, "GET", "/org/documents/ada", "", auth).is(200)
}

// export makes a fault that changes the lines of exports.
func export(change func([]string) []string) func(http.Handler) http.Handler {
	return out(func(r *reply) {
		if r.request.URL.Path == "/org/export" && r.status == http.StatusOK && strings.Count(string(r.body), "\n") > 1 {
			r.body = []byte(strings.Join(change(strings.Split(strings.TrimSuffix(string(r.body), "\n"), "\n")), "\n") + "\n")
		}
	})
}

var blankLine = regexp.MustCompile(`(?m)^[ \t\r]*\n`)

// importing makes a fault that changes what is imported.
func importing(change func(string) string) func(http.Handler) http.Handler {
	return onPath("/org/import", in(func(req *http.Request) {
		body, _ := io.ReadAll(req.Body) // cut off: shorter, then
		changed := change(string(body))
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(changed)), int64(len(changed))
	}))
}
