package orgd_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/orgd/orgd/internal/app/apptest"
	orgd "github.com/orgd/orgd/sdk/go"
)

// longFilter selects what n is, among many others.
func longFilter(n int) map[string]any {
	all := []any{n}
	for i := range 900 {
		all = append(all, fmt.Sprintf("<&> %d é", i))
	}
	return map[string]any{"n": map[string]any{"$in": all}}
}

// TestLongFilters: a filter that does not fit into a URL is sent in the body.
func TestLongFilters(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme, checked(t))
	docs, ctx := orgd.DocumentsOf[map[string]any](c), t.Context()
	for i := range 10 {
		if _, err := docs.Insert(ctx, map[string]any{"_id": fmt.Sprint("d", i), "n": i % 2}); err != nil {
			t.Fatal(err)
		}
	}
	got := ""
	for doc, err := range docs.List(ctx, orgd.Query{Filter: longFilter(1), PageSize: 2, Sort: []string{"-_id"}, Fields: []string{"n"}}) {
		if err != nil {
			t.Fatal(err)
		}
		got += doc.ID
	}
	if got != "d9d7d5d3d1" {
		t.Errorf("listed %s", got)
	}
	if n, err := docs.Count(ctx, longFilter(0)); n != 5 || err != nil {
		t.Errorf("counted %d, %v", n, err)
	}
	var out bytes.Buffer
	if n, err := c.Export(ctx, &out, orgd.ExportOptions{Filter: longFilter(1), Canonical: true}); n != 5 || err != nil || !strings.Contains(out.String(), `{"$numberInt":"1"}`) {
		t.Errorf("exported %d, %v, %s", n, err, out.String())
	}
	long := strings.Repeat(" ", 2000)
	if _, err := docs.Page(ctx, orgd.Query{Filter: `{"$where":"x"}` + long}); !errors.Is(err, orgd.ErrMalformed) || !strings.Contains(err.Error(), "#/filter") {
		t.Error(err)
	}
	if _, err := docs.Page(ctx, orgd.Query{Filter: `{}, "limit": 1` + long}); err == nil || err.Error() != "orgd: the filter is not JSON" {
		t.Error(err)
	}
	if _, err := c.Export(ctx, &out, orgd.ExportOptions{Filter: `{` + long}); err == nil || err.Error() != "orgd: the filter is not JSON" {
		t.Error(err)
	}
}

// TestALongFilterIsSentAgain, since it changes nothing; and when it fails in the end, nothing
// was done.
func TestALongFilterIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(n int, _ *http.Request) (*http.Response, error) {
			if n == 1 {
				return nil, errors.New("connection reset")
			}
			return reply(200, `{"items":[]}`)
		}}
		docs := orgd.DocumentsOf[map[string]any](f.client(t, orgd.WithToken("t")))
		if _, err := docs.Page(t.Context(), orgd.Query{Filter: longFilter(1)}); err != nil || f.n != 2 {
			t.Fatalf("%v after %d requests", err, f.n)
		}
		for _, r := range f.requests {
			if r.method != "POST" || r.path != "/org/documents/query" || r.header.Get("Idempotency-Key") != "" || r.body != f.requests[0].body {
				t.Errorf("%s %s %v %s", r.method, r.path, r.header, r.body)
			}
		}
		f.answer = always(func() (*http.Response, error) { return reply(200, `{"items":`) })
		if _, err := docs.Page(t.Context(), orgd.Query{Filter: longFilter(1)}); err == nil || errors.Is(err, orgd.ErrOutcomeUnknown) {
			t.Error(err)
		}
		f.answer = always(func() (*http.Response, error) { return nil, errors.New("connection reset") })
		for _, err := range docs.Export(t.Context(), orgd.ExportOptions{Filter: longFilter(1)}) {
			if err == nil || errors.Is(err, orgd.ErrOutcomeUnknown) {
				t.Error(err)
			}
		}
		if last := f.requests[len(f.requests)-1]; last.method != "POST" || last.path != "/org/export" {
			t.Errorf("%s %s", last.method, last.path)
		}
	})
}
