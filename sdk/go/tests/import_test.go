package orgd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd/internal/app/apptest"
	orgd "github.com/orgd/orgd/sdk/go"
)

func TestImport(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme, checked(t))
	ctx, docs := t.Context(), orgd.DocumentsOf[person](c)
	text := "{\"_id\":\"a\",\"age\":1}\n\n{\"_id\":\"b\",\"$x\":1}\nnonsense\n{\"_id\":\"a\"}\n{\"_id\":\"c\"}"
	result, err := c.Import(ctx, iotest.OneByteReader(strings.NewReader(text)), orgd.ImportOptions{})
	if err != nil || result.Lines != 5 || result.Inserted != 2 || result.Failed != 3 {
		t.Fatalf("%+v, %v", result, err)
	}
	var got []string
	for _, r := range result.Refused {
		got = append(got, fmt.Sprint(r.Line, " ", r.Code, " ", r.Pointer))
	}
	if diff := cmp.Diff([]string{"3 malformed #/$x", "4 malformed #", "5 document_exists "}, got); diff != "" {
		t.Error(diff)
	}
	if err := result.Err(); !errors.Is(err, orgd.ErrMalformed) || !strings.HasPrefix(err.Error(), "orgd: 3 documents were refused; the first: line 3 #/$x: malformed: ") {
		t.Error(err)
	}
	people := slices.Values([]person{{ID: "a", Name: "A"}, {ID: "d"}})
	skipped, err := docs.Import(ctx, people, orgd.ImportOptions{OnConflict: orgd.OnConflictSkip})
	if err != nil || skipped.Err() != nil || skipped.Inserted != 1 || skipped.Skipped != 1 {
		t.Errorf("%+v, %v", skipped, err)
	}
	replaced, err := docs.Import(ctx, people, orgd.ImportOptions{OnConflict: orgd.OnConflictReplace})
	if err != nil || replaced.Replaced != 2 {
		t.Errorf("%+v, %v", replaced, err)
	}
	none, err := docs.Import(ctx, slices.Values([]person(nil)), orgd.ImportOptions{})
	if err != nil || none.Lines != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	if a, err := docs.Get(ctx, "a"); err != nil || a.Value.Name != "A" || a.Value.Age != 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestExportIsAnImport, of another organization, at the same time.
func TestExportIsAnImport(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme)
	other := admin(t, s.URL, orgd.NewOrganization{Name: "Globex", Email: "a@globex.example", Password: password})
	fill(t, c, 3000)
	ctx := t.Context()
	result, err := orgd.DocumentsOf[person](other).ImportFrom(ctx, orgd.DocumentsOf[person](c).Export(ctx, orgd.ExportOptions{}), orgd.ImportOptions{})
	if err != nil || result.Inserted != 3000 {
		t.Fatalf("%+v, %v", result, err)
	}
	var from, to bytes.Buffer
	n, err1 := c.Export(ctx, &from, orgd.ExportOptions{Canonical: true})
	m, err2 := other.Export(ctx, &to, orgd.ExportOptions{Canonical: true})
	if err := errors.Join(err1, err2); err != nil || n != 3000 || m != n || !bytes.Equal(from.Bytes(), to.Bytes()) || bytes.Count(from.Bytes(), []byte("\n")) != 3000 {
		t.Errorf("%d, %d, %v", n, m, err)
	}
	if n, err := c.Export(ctx, io.Discard, orgd.ExportOptions{Filter: person{City: "C1"}}); err != nil || n != 300 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := c.Export(ctx, io.Discard, orgd.ExportOptions{Filter: "{"}); !errors.Is(err, orgd.ErrMalformed) {
		t.Error(err)
	}
	if _, err := c.Export(ctx, failing{}, orgd.ExportOptions{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestStreamsHoldNothing: what is sent and received is not gathered anywhere.
func TestStreamsHoldNothing(t *testing.T) {
	const n, size = 240, 256 << 10 // 60 MiB, with 40 allowed
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/x-ndjson")
			_, _ = fmt.Fprintf(w, `{"type":"result","lines":%d,"inserted":%d,"complete":true}`, n, n)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		for range n {
			_, _ = fmt.Fprintf(w, "{\"name\":%q}\n", strings.Repeat("x", size))
		}
		_, _ = fmt.Fprintf(w, `{"_trailer":{"documents":%d,"complete":true}}`, n)
	}))
	defer s.Close()
	c := dial(t, s.URL, orgd.WithToken("t"))
	docs := orgd.DocumentsOf[person](c)
	most := uint64(0)
	measure := func(i int) {
		if i%50 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	name := strings.Repeat("x", size)
	result, err := docs.Import(t.Context(), func(yield func(person) bool) {
		for i := range n {
			if measure(i); !yield(person{Name: name}) {
				return
			}
		}
	}, orgd.ImportOptions{})
	if err != nil || result.Inserted != n {
		t.Errorf("%+v, %v", result, err)
	}
	i := 0
	for _, err := range docs.Export(t.Context(), orgd.ExportOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		measure(i)
		i++
	}
	if i != n || most > 40<<20 {
		t.Errorf("%d documents, %d MiB in memory", i, most>>20)
	}
}

const progressLine = `{"type":"progress","lines":2,"inserted":2,"replaced":0,"skipped":0,"failed":0}` + "\n"

func ndjson(body string) outcome {
	return func() (*http.Response, error) {
		return reply(200, body, "Content-Type", "application/x-ndjson", "X-Request-Id", "r7")
	}
}

func TestImportsThatBreakOff(t *testing.T) {
	for _, x := range []struct {
		what, body string
		inserted   int64
		is         []error
		unknown    bool
	}{
		{"nothing", "", 0, []error{orgd.ErrIncomplete}, true},
		{"no result", progressLine, 2, []error{orgd.ErrIncomplete}, true},
		{"half a line", progressLine + `{"type":"resu`, 2, []error{orgd.ErrIncomplete}, true},
		{"not complete", progressLine + `{"type":"result","lines":3,"inserted":3,"complete":false,"code":"suspended","detail":"Ask."}`, 3,
			[]error{orgd.ErrIncomplete, orgd.ErrSuspended}, false},
		{"not complete, unknown", `{"type":"result","lines":3,"inserted":3,"complete":false,"code":"outcome_unknown"}`, 3,
			[]error{orgd.ErrIncomplete, orgd.ErrOutcomeUnknown}, true},
		{"lines of a later contract", `{"type":"later","x":1}` + "\n" + `{"type":"result","lines":1,"inserted":1,"complete":true}`, 1, nil, false},
	} {
		f := &fake{answer: always(ndjson(x.body))}
		told := 0
		result, err := f.client(t, orgd.WithToken("t")).Import(t.Context(), strings.NewReader("{}\n"), orgd.ImportOptions{
			Progress: func(p orgd.ImportProgress) { told += int(p.Inserted) }})
		if want := 2 * strings.Count(x.body, progressLine); told != want {
			t.Errorf("%s: progress of %d, want %d", x.what, told, want)
		}
		if (err == nil) != (x.is == nil) || errors.Is(err, orgd.ErrOutcomeUnknown) != x.unknown || result == nil || result.Inserted != x.inserted || f.n != 1 {
			t.Errorf("%s: %+v, %v", x.what, result, err)
		}
		for _, want := range x.is {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v is not %v", x.what, err, want)
			}
		}
	}
}

func TestExportsThatBreakOff(t *testing.T) {
	for _, x := range []struct {
		what, body string
		n          int64
		is         []error
	}{
		{"nothing", "", 0, []error{orgd.ErrIncomplete}},
		{"no trailer", "{\"_id\":1}\n", 1, []error{orgd.ErrIncomplete}},
		{"half a trailer", "{\"_id\":1}\n{\"_trailer\":{", 1, []error{orgd.ErrIncomplete}},
		{"another number", "{\"_id\":1}\n{\"_trailer\":{\"documents\":2,\"complete\":true}}\n", 1, []error{orgd.ErrIncomplete}},
		{"not complete", "{\"_id\":1}\n{\"_trailer\":{\"documents\":1,\"complete\":false,\"code\":\"token_revoked\",\"detail\":\"Log in.\"}}\n", 1,
			[]error{orgd.ErrIncomplete, orgd.ErrTokenRevoked}},
		{"all", "{\"_id\":\"_trailer\"}\n{\"_trailer\":{\"documents\":1,\"complete\":true}}\n", 1, nil},
	} {
		f := &fake{answer: always(ndjson(x.body))}
		var out bytes.Buffer
		n, err := f.client(t, orgd.WithToken("t")).Export(t.Context(), &out, orgd.ExportOptions{})
		if (err == nil) != (x.is == nil) || n != x.n || errors.Is(err, orgd.ErrOutcomeUnknown) || int64(strings.Count(out.String(), "\n")) != n {
			t.Errorf("%s: %d, %v, %q", x.what, n, err, out.String())
		}
		for _, want := range x.is {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v is not %v", x.what, err, want)
			}
		}
		if e, ok := errors.AsType[*orgd.Error](err); ok && (e.RequestID != "r7" || e.Path != "/org/export" || e.Method != "GET") {
			t.Errorf("%s: %+v", x.what, e)
		}
	}
}

// TestImportIsSentAgain as long as nothing of it was read: after a login, and
// while the server is not there.
func TestImportIsSentAgain(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme, checked(t, 503), orgd.WithToken("dead.dead.dead"))
	result, err := c.Import(t.Context(), strings.NewReader("{}\n{}\n"), orgd.ImportOptions{})
	if err != nil || result.Inserted != 2 {
		t.Errorf("with a dead token: %+v, %v", result, err)
	}
	for _, x := range []struct {
		what string
		read bool
		n    int
		errs bool
	}{{"not read", false, 2, false}, {"read", true, 1, true}} {
		f := &fake2{read: x.read}
		result, err := dial(t, "http://orgd.test", orgd.WithToken("t"), orgd.WithHTTPClient(&http.Client{Transport: f})).
			Import(t.Context(), strings.NewReader("{}\n"), orgd.ImportOptions{})
		if f.n != x.n || (err != nil) != x.errs {
			t.Errorf("%s: %d requests, %+v, %v", x.what, f.n, result, err)
		}
	}
}

// A fake2 refuses the first request, before or after it has read the body.
type fake2 struct {
	read bool
	n    int
}

func (f *fake2) RoundTrip(req *http.Request) (*http.Response, error) {
	defer func() { _ = req.Body.Close() }()
	if f.n++; f.n == 1 {
		if f.read {
			_, _ = io.Copy(io.Discard, req.Body)
		}
		return refuse(503, orgd.ErrUnavailable)
	}
	body, err := io.ReadAll(req.Body)
	if string(body) != "{}\n" || err != nil {
		return nil, fmt.Errorf("sent %q, %w", body, err)
	}
	return ndjson(`{"type":"result","lines":1,"inserted":1,"complete":true}`)()
}

// TestImportOfASourceThatFails: its error is the import's, and its end is waited
// for.
func TestImportOfASourceThatFails(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme)
	ctx, docs, oops := t.Context(), orgd.DocumentsOf[any](c), errors.New("oops")
	ended := false
	_, err := docs.ImportFrom(ctx, func(yield func(any, error) bool) {
		defer func() { ended = true }()
		_ = yield(person{}, nil) && yield(nil, oops) && yield(person{}, nil)
	}, orgd.ImportOptions{})
	if !errors.Is(err, oops) || !ended {
		t.Errorf("%v, ended: %t", err, ended)
	}
	if _, err := docs.Import(ctx, slices.Values([]any{make(chan int)}), orgd.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "unsupported type: chan int") {
		t.Error(err)
	}
	if _, err := c.Import(ctx, iotest.ErrReader(oops), orgd.ImportOptions{}); !errors.Is(err, oops) {
		t.Error(err)
	}
	ended = false
	refused := dial(t, s.URL, orgd.WithToken("dead.dead.dead"))
	_, err = orgd.DocumentsOf[any](refused).Import(ctx, func(yield func(any) bool) { ended = true }, orgd.ImportOptions{})
	if !errors.Is(err, orgd.ErrUnauthenticated) || errors.Is(err, orgd.ErrOutcomeUnknown) || ended {
		t.Errorf("%v, begun: %t", err, ended)
	}
}

// TestImportIsLeft by its context while its source stands still: it does not wait
// for the source, and does not read from it again.
func TestImportIsLeft(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	goOn, stopped := make(chan bool), make(chan bool)
	began := time.Now()
	_, err := orgd.DocumentsOf[person](c).Import(ctx, func(yield func(person) bool) {
		defer close(stopped)
		for i := 0; yield(person{}); i++ {
			if i > 0 {
				t.Error("the source is read again")
			}
			<-goOn
		}
	}, orgd.ImportOptions{})
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, orgd.ErrOutcomeUnknown) || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	close(goOn)
	<-stopped
}

// TestExportIsLeft by its loop.
func TestExportIsLeft(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme)
	fill(t, c, 500)
	n := 0
	for _, err := range orgd.DocumentsOf[person](c).Export(t.Context(), orgd.ExportOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 10 {
			break
		}
	}
	if n != 10 {
		t.Errorf("%d documents", n)
	}
}
