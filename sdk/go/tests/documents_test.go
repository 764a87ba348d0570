package orgd_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd/internal/app/apptest"
	"github.com/orgd/orgd/internal/contracttest"
	orgd "github.com/orgd/orgd/sdk/go"
)

// checked is an option that holds all answers against the contract.
func checked(t testing.TB, expect ...int) orgd.Option {
	t.Helper()
	transport := &http.Transport{ExpectContinueTimeout: time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	return orgd.WithHTTPClient(&http.Client{Transport: contracttest.New(t, contracttest.Config{Base: transport, Expect: expect})})
}

type person struct {
	ID   orgd.DocumentID `json:"_id,omitempty"`
	Name string          `json:"name,omitempty"`
	City string          `json:"city,omitempty"`
	Age  int             `json:"age,omitempty"`
}

func TestLifeOfADocument(t *testing.T) {
	s := apptest.Start(t)
	docs := orgd.DocumentsOf[person](admin(t, s.URL, acme, checked(t)))
	ctx := t.Context()
	made, err := docs.Insert(ctx, person{Name: "Grace Hopper", City: "New York"})
	if err != nil || len(made.ID) != 24 || made.Revision == "" || string(made.Value.ID) != made.ID || made.Value.Name != "Grace Hopper" {
		t.Fatalf("%+v, %v", made, err)
	}
	got, err := docs.Get(ctx, made.ID)
	if diff := cmp.Diff(made, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	patched, err := docs.Patch(ctx, made.ID, map[string]any{"age": 37, "city": nil}, orgd.IfMatch(made.Revision))
	if err != nil || patched.Value.Age != 37 || patched.Value.City != "" || patched.Value.Name != "Grace Hopper" || patched.Revision == made.Revision {
		t.Errorf("%+v, %v", patched, err)
	}
	put, err := docs.Put(ctx, made.ID, person{Name: "Grace"}, orgd.IfMatch("0", patched.Revision))
	if err != nil || put.Value.Age != 0 || put.ID != made.ID {
		t.Errorf("%+v, %v", put, err)
	}
	if err := docs.Delete(ctx, made.ID, orgd.IfPresent()); err != nil {
		t.Error(err)
	}
	if _, err := docs.Get(ctx, made.ID); !errors.Is(err, orgd.ErrNotFound) {
		t.Error(err)
	}
}

// TestIDs: any id that the server takes comes back under itself.
func TestIDs(t *testing.T) {
	s := apptest.Start(t)
	docs := orgd.DocumentsOf[map[string]any](admin(t, s.URL, acme, checked(t)))
	for _, id := range []string{"ada", "a/b", "../x", "a b+c?d=e&f#g%2F", "ä€😀", `"q"`, "6b2f00000000000000000001"} {
		put, err := docs.Put(t.Context(), id, map[string]any{"n": 1}, orgd.IfAbsent())
		if err != nil || put.ID != id {
			t.Errorf("%q: %+v, %v", id, put, err)
			continue
		}
		if got, err := docs.Get(t.Context(), id); err != nil || got.ID != id {
			t.Errorf("%q: %+v, %v", id, got, err)
		}
	}
	for _, id := range []string{"", ".", ".."} {
		_, get := docs.Get(t.Context(), id)
		_, put := docs.Put(t.Context(), id, nil)
		if del := docs.Delete(t.Context(), id); get == nil || put == nil || del == nil {
			t.Errorf("%q is taken", id)
		}
	}
}

func TestConflicts(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme, checked(t))
	docs, ctx := orgd.DocumentsOf[person](c), t.Context()
	if _, err := c.CreateIndex(ctx, orgd.NewIndex{Name: "by_name", Keys: []string{"name"}, Unique: true}); err != nil {
		t.Fatal(err)
	}
	ada, err := docs.Insert(ctx, person{ID: "ada", Name: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	_, exists := docs.Insert(ctx, person{ID: "ada", Name: "Other"})
	_, key := docs.Insert(ctx, person{Name: "Ada"})
	_, absent := docs.Put(ctx, "ada", person{}, orgd.IfAbsent())
	_, present := docs.Put(ctx, "bob", person{}, orgd.IfPresent())
	_, match := docs.Patch(ctx, "ada", person{}, orgd.IfMatch("1234"))
	_, order := docs.Page(ctx, orgd.Query{Sort: []string{"city"}})
	_, index := c.CreateIndex(ctx, orgd.NewIndex{Name: "by_name", Keys: []string{"city"}})
	_, first := docs.Insert(ctx, person{Name: "First"}, orgd.WithIdempotencyKey("k"))
	_, reused := docs.Insert(ctx, person{Name: "Second"}, orgd.WithIdempotencyKey("k"))
	_, unknown := orgd.DocumentsOf[map[string]any](c).Insert(ctx, map[string]any{"_x": 1})
	_, large := orgd.DocumentsOf[map[string]any](c).Insert(ctx, map[string]any{"x": strings.Repeat("x", 17<<20)})
	for _, x := range []struct {
		err  error
		code orgd.Code
	}{
		{exists, orgd.ErrDocumentExists}, {key, orgd.ErrDuplicateKey}, {absent, orgd.ErrPreconditionFailed}, {present, orgd.ErrPreconditionFailed},
		{match, orgd.ErrPreconditionFailed}, {order, orgd.ErrNoIndex}, {index, orgd.ErrIndexExists}, {reused, orgd.ErrIdempotencyKeyReused},
		{unknown, orgd.ErrMalformed}, {large, orgd.ErrTooLarge}, {docs.Delete(ctx, "nobody"), orgd.ErrNotFound},
		{docs.Delete(ctx, "ada", orgd.IfMatch("1234")), orgd.ErrPreconditionFailed},
	} {
		if !errors.Is(x.err, x.code) || errors.Is(x.err, orgd.ErrOutcomeUnknown) {
			t.Errorf("want %s: %v", x.code, x.err)
		}
	}
	if now, err := docs.Get(ctx, "ada"); first != nil || err != nil || now.Revision != ada.Revision {
		t.Errorf("%+v, %v, %v", now, err, first)
	}
}

// TestConditionsThatAreNone: a condition that would be sent as none, and so hold
// always, is an error.
func TestConditionsThatAreNone(t *testing.T) {
	f := &fake{answer: always(done)}
	docs, ctx := orgd.DocumentsOf[person](f.client(t)), t.Context()
	_, empty := docs.Put(ctx, "ada", person{}, orgd.IfMatch())
	_, ofList := docs.Put(ctx, "ada", person{}, orgd.IfMatch(""))
	_, absent := docs.Patch(ctx, "ada", person{}, orgd.IfAbsent())
	del := docs.Delete(ctx, "ada", orgd.IfAbsent())
	if empty == nil || ofList == nil || absent == nil || del == nil || f.n > 0 {
		t.Errorf("%v, %v, %v, %v, %d requests", empty, ofList, absent, del, f.n)
	}
}

func TestWhatCannotBeWrittenIsNotSent(t *testing.T) {
	f := &fake{answer: always(done)}
	docs, ctx, bad := orgd.DocumentsOf[any](f.client(t)), t.Context(), make(chan int)
	_, insert := docs.Insert(ctx, bad)
	_, put := docs.Put(ctx, "a", bad)
	_, patch := docs.Patch(ctx, "a", bad)
	_, page := docs.Page(ctx, orgd.Query{Filter: bad})
	_, count := docs.Count(ctx, bad)
	for i, err := range []error{insert, put, patch, page, count} {
		if err == nil || errors.Is(err, orgd.ErrOutcomeUnknown) || f.n > 0 {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// TestAnswersThatDoNotFit: what was written is written, also if T is another.
func TestAnswersThatDoNotFit(t *testing.T) {
	f := &fake{answer: always(func() (*http.Response, error) { return reply(200, `{"_id":"ada","name":5}`, "ETag", `W/"5a"`) })}
	c := f.client(t, orgd.WithToken("t"))
	docs := orgd.DocumentsOf[person](c)
	_, get := docs.Get(t.Context(), "ada")
	_, put := docs.Put(t.Context(), "ada", person{})
	if get == nil || errors.Is(get, orgd.ErrOutcomeUnknown) || put == nil || !errors.Is(put, orgd.ErrOutcomeUnknown) {
		t.Errorf("%v, %v", get, put)
	}
	raw, err := orgd.DocumentsOf[json.RawMessage](c).Get(t.Context(), "ada")
	if err != nil || raw.Revision != "5a" || string(raw.Value) != `{"_id":"ada","name":5}` {
		t.Errorf("%+v, %v", raw, err)
	}
}

// TestInsertIsDoneOnce although its first answer is lost.
func TestInsertIsDoneOnce(t *testing.T) {
	s := apptest.Start(t)
	lossy := &losing{}
	c := admin(t, s.URL, acme, orgd.WithHTTPClient(&http.Client{Transport: lossy}))
	docs := orgd.DocumentsOf[person](c)
	lossy.next = true
	doc, err := docs.Insert(t.Context(), person{Name: "Ada"})
	if n, countErr := docs.Count(t.Context(), nil); err != nil || countErr != nil || n != 1 || lossy.next {
		t.Fatalf("%d documents, %v, %v", n, err, countErr)
	}
	if got, err := docs.Get(t.Context(), doc.ID); err != nil || got.Revision != doc.Revision {
		t.Errorf("%+v, %v", got, err)
	}
	lossy.next = true
	if _, err := c.CreateOrganization(t.Context(), orgd.NewOrganization{Name: "Globex", Email: "a@globex.example", Password: password}); err != nil || lossy.next {
		t.Error(err)
	}
}

// losing loses an answer.
type losing struct{ next bool }

func (l *losing) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil && l.next && req.Method == http.MethodPost && req.URL.Path != "/admin/login" {
		l.next = false
		_ = resp.Body.Close()
		return nil, errors.New("lost")
	}
	return resp, err
}

// fill inserts people 000 to n-1, with one of ten cities.
func fill(t testing.TB, c *orgd.Client, n int) {
	t.Helper()
	people := func(yield func(person) bool) {
		for i := range n {
			if !yield(person{ID: orgd.DocumentID(fmt.Sprintf("%03d", i)), Name: fmt.Sprint("P", i), City: fmt.Sprint("C", i%10)}) {
				return
			}
		}
	}
	result, err := orgd.DocumentsOf[person](c).Import(t.Context(), people, orgd.ImportOptions{})
	if err != nil || result.Err() != nil || result.Inserted != int64(n) {
		t.Fatalf("%+v, %v", result, err)
	}
}

func ids(t testing.TB, docs *orgd.Documents[person], q orgd.Query) (ids []string) {
	t.Helper()
	for doc, err := range docs.List(t.Context(), q) {
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		ids = append(ids, doc.ID)
	}
	return ids
}

func TestList(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme, checked(t))
	fill(t, c, 250)
	if _, err := c.CreateIndex(t.Context(), orgd.NewIndex{Name: "by_city", Keys: []string{"city", "-name"}}); err != nil {
		t.Fatal(err)
	}
	docs := orgd.DocumentsOf[person](c)
	for _, x := range []struct {
		what        string
		q           orgd.Query
		n           int
		first, last string
	}{
		{"all", orgd.Query{}, 250, "000", "249"},
		{"descending", orgd.Query{Sort: []string{"-_id"}, PageSize: 7}, 250, "249", "000"},
		{"a map", orgd.Query{Filter: map[string]any{"city": "C3"}, PageSize: 10}, 25, "003", "243"},
		{"a struct", orgd.Query{Filter: person{City: "C3"}}, 25, "003", "243"},
		{"a string", orgd.Query{Filter: `{"city": "C3"}`}, 25, "003", "243"},
		{"raw", orgd.Query{Filter: json.RawMessage(`{"city": "C3"}`)}, 25, "003", "243"},
		{"an index", orgd.Query{Filter: map[string]any{"city": map[string]any{"$gte": "C8"}}, Sort: []string{"city", "-name"}}, 50, "098", "109"},
		{"a limit", orgd.Query{Limit: 5}, 5, "000", "004"},
		{"a limit of pages", orgd.Query{Limit: 20, PageSize: 10}, 20, "000", "019"},
		{"a limit within a page", orgd.Query{Limit: 25, PageSize: 10}, 25, "000", "024"},
		{"a limit of more", orgd.Query{Limit: 1000, PageSize: 10000}, 250, "000", "249"},
		{"a limit of more than a page", orgd.Query{Limit: 150}, 150, "000", "149"},
	} {
		got := ids(t, docs, x.q)
		if len(got) != x.n || got[0] != x.first || got[len(got)-1] != x.last {
			t.Errorf("%s: %d documents %q", x.what, len(got), got)
		}
	}
	if got := ids(t, docs, orgd.Query{Filter: `{"city": "nowhere"}`}); got != nil {
		t.Error(got)
	}
	if n, err := docs.Count(t.Context(), person{City: "C3"}); err != nil || n != 25 {
		t.Errorf("%d, %v", n, err)
	}
	for doc, err := range docs.List(t.Context(), orgd.Query{Fields: []string{"city"}, Limit: 1}) {
		if want := (person{ID: "000", City: "C0"}); err != nil || doc.Value != want || doc.Revision != "" {
			t.Errorf("%+v, %v", doc, err)
		}
	}
}

func TestPage(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme, checked(t))
	fill(t, c, 25)
	docs, q := orgd.DocumentsOf[person](c), orgd.Query{PageSize: 10}
	page, err := docs.PageAndTotal(t.Context(), q)
	if err != nil || len(page.Items) != 10 || page.Total != 25 || page.Next == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	q.Cursor = page.Next
	if got := ids(t, docs, q); len(got) != 15 || got[0] != "010" {
		t.Errorf("from the cursor on: %q", got)
	}
	q.Filter = person{Name: "P1"}
	if _, err := docs.Page(t.Context(), q); !errors.Is(err, orgd.ErrMalformed) {
		t.Errorf("another list's cursor: %v", err)
	}
	for _, bad := range []orgd.Query{{PageSize: -1}, {Filter: `{"$where": 1}`}, {Filter: "{"}} {
		if _, err := docs.Page(t.Context(), bad); !errors.Is(err, orgd.ErrMalformed) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestListEnds with its first error, and when the loop is left.
func TestListEnds(t *testing.T) {
	f := &fake{answer: func(n int, _ *http.Request) (*http.Response, error) {
		if n > 2 {
			return refuse(423, orgd.ErrSuspended)
		}
		return reply(200, fmt.Sprintf(`{"items":[{"_id":"%d"}],"next_cursor":"c%d"}`, n, n))
	}}
	docs := orgd.DocumentsOf[person](f.client(t, orgd.WithToken("t")))
	var got []string
	for doc, err := range docs.List(t.Context(), orgd.Query{}) {
		if err != nil {
			got = append(got, fmt.Sprint(errors.Is(err, orgd.ErrSuspended)))
			continue
		}
		got = append(got, doc.ID)
	}
	if diff := cmp.Diff([]string{"1", "2", "true"}, got); diff != "" || f.n != 3 {
		t.Errorf("%d requests: %s", f.n, diff)
	}
	f.n = 0
	for range docs.List(t.Context(), orgd.Query{Limit: 1}) {
	}
	if f.n != 1 {
		t.Errorf("%d requests for one document", f.n)
	}
}

func TestIndexesAndStats(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme, checked(t))
	ctx := t.Context()
	fill(t, c, 20)
	for range 2 { // again changes nothing
		made, err := c.CreateIndex(ctx, orgd.NewIndex{Name: "by_city", Keys: []string{"city", "-name"}})
		if err != nil || made.Name != "by_city" || len(made.Keys) != 2 || made.Keys[1].Path != "name" || *made.Keys[1].Order != "desc" || made.Unique {
			t.Fatalf("%+v, %v", made, err)
		}
	}
	if _, err := c.CreateIndex(ctx, orgd.NewIndex{Name: "unique", Keys: []string{"city"}, Unique: true}); !errors.Is(err, orgd.ErrDuplicateKey) {
		t.Error(err)
	}
	list, err := c.Indexes(ctx)
	if err != nil || len(list) != 1 || list[0].Name != "by_city" {
		t.Errorf("%+v, %v", list, err)
	}
	stats, err := c.Stats(ctx)
	if err != nil || stats.Documents != 20 || stats.Bytes == 0 || len(stats.Indexes) != 1 {
		t.Errorf("%+v, %v", stats, err)
	}
	if err := c.DeleteIndex(ctx, "by_city"); err != nil {
		t.Error(err)
	}
	if err := c.DeleteIndex(ctx, "by_city"); !errors.Is(err, orgd.ErrNotFound) {
		t.Error(err)
	}
}

// TestListSurvivesAMove: pages before and after one are of one list.
func TestListSurvivesAMove(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme, checked(t))
	fill(t, c, 50)
	var got []string
	for doc, err := range orgd.DocumentsOf[person](c).List(t.Context(), orgd.Query{PageSize: 20}) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, doc.ID); len(got) == 15 {
			if _, err := c.UpdateOrganization(context.Background(), orgd.Update{Name: "Acme 2"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if slices.Sort(got); len(got) != 50 || len(slices.Compact(got)) != 50 {
		t.Errorf("%d documents", len(got))
	}
}
