package orgd_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	orgd "github.com/orgd/orgd/sdk/go"
)

type doc struct {
	N int `json:"n"`
}

// collect returns what a loop sees: numbers, and the error that ends it.
func collect(seq iter.Seq2[doc, error]) (got []int, last error) {
	for d, err := range seq {
		if last != nil {
			return got, fmt.Errorf("the loop goes on after %w", last)
		}
		if last = err; err == nil {
			got = append(got, d.N)
		}
	}
	return got, last
}

// stream is an answer whose body says whether it was closed.
func stream(r io.Reader) (*http.Response, *closer) {
	c := &closer{Reader: r}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/x-ndjson"}}, Body: c}, c
}

type closer struct {
	io.Reader
	closed bool
}

func (c *closer) Close() error { c.closed = true; return nil }

// counted is a trailer like {"$end":2}, or {"$error":"why"}.
func counted(line []byte) (count int64, ok bool, err error) {
	var t struct {
		End   *int64 `json:"$end"`
		Error string `json:"$error"`
	}
	if json.Unmarshal(line, &t) != nil || t.End == nil && t.Error == "" {
		return 0, false, nil
	}
	if t.Error != "" {
		return 0, true, errors.New(t.Error)
	}
	return *t.End, true, nil
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		what, body string
		trailer    orgd.Trailer
		want       []int
		err        string
	}{
		{"nothing", "", nil, nil, ""},
		{"a few", "{\"n\":1}\n{\"n\":2}\n", nil, []int{1, 2}, ""},
		{"no last newline", "{\"n\":1}\r\n\n  {\"n\":2}", nil, []int{1, 2}, ""},
		{"a bad line", "{\"n\":1}\nx\n{\"n\":3}\n", nil, []int{1}, "orgd: line 2 of the stream: invalid character"},
		{"another form", "{\"n\":\"x\"}", nil, nil, "orgd: line 1 of the stream: json: cannot unmarshal"},
		{"a trailer", "{\"n\":1}\n{\"n\":2}\n{\"$end\":2}\n", counted, []int{1, 2}, ""},
		{"only a trailer", "{\"$end\":0}", counted, nil, ""},
		{"no trailer", "{\"n\":1}\n", counted, []int{1}, "orgd: the stream is incomplete: it ends after 1 values, without its last line"},
		{"half a trailer", "{\"n\":1}\n{\"$en", counted, []int{1}, "orgd: line 2 of the stream: unexpected end"},
		{"too few", "{\"n\":1}\n{\"$end\":2}\n", counted, []int{1}, "orgd: the stream is incomplete: 1 values came of 2"},
		{"too many", "{\"n\":1}\n{\"$end\":0}\n", counted, []int{1}, "orgd: the stream is incomplete: 1 values came of 0"},
		{"more after it", "{\"$end\":0}\n{\"n\":1}", counted, nil, "orgd: the stream is incomplete: it goes on after its last line"},
		{"a trailer with an error", "{\"n\":1}\n{\"$error\":\"no\"}", counted, []int{1}, "no"},
	} {
		resp, body := stream(iotest.HalfReader(strings.NewReader(c.body)))
		got, err := collect(orgd.Lines[doc](resp, c.trailer))
		if diff := cmp.Diff(c.want, got); diff != "" || (err == nil) != (c.err == "") || err != nil && !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%s: %v %s", c.what, err, diff)
		}
		if strings.Contains(c.err, "incomplete") != errors.Is(err, orgd.ErrIncomplete) {
			t.Errorf("%s: %v", c.what, err)
		}
		if !body.closed {
			t.Errorf("%s: the body is not closed", c.what)
		}
	}
}

func TestLinesMayBeLong(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	resp, _ := stream(strings.NewReader(fmt.Sprintf("{\"n\":1,\"x\":%q}\n{\"n\":2}", long)))
	if got, err := collect(orgd.Lines[doc](resp, nil)); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	resp, _ = stream(zeros{})
	if got, err := collect(orgd.Lines[doc](resp, nil)); err == nil || len(got) > 0 {
		t.Errorf("a line without end: %v, %v", got, err)
	}
}

// TestLinesAreTheCallers: a value that is raw bytes is not overwritten by the
// next.
func TestLinesAreTheCallers(t *testing.T) {
	resp, _ := stream(strings.NewReader("{\"n\":1}\n{\"n\":2}\n"))
	var got []string
	var kept []json.RawMessage
	for raw, err := range orgd.Lines[json.RawMessage](resp, nil) {
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, raw)
	}
	for _, raw := range kept {
		got = append(got, string(raw))
	}
	if diff := cmp.Diff([]string{`{"n":1}`, `{"n":2}`}, got); diff != "" {
		t.Error(diff)
	}
}

func TestLinesAreReadOnce(t *testing.T) {
	resp, body := stream(strings.NewReader("{\"n\":1}\n{\"n\":2}\n"))
	seq := orgd.Lines[doc](resp, nil)
	for range seq {
		break
	}
	if !body.closed {
		t.Error("a loop that was left does not close the body")
	}
	resp, _ = stream(strings.NewReader("{\"n\":1}\n"))
	seq = orgd.Lines[doc](resp, nil)
	_, _ = collect(seq)
	if got, err := collect(seq); err == nil || len(got) > 0 {
		t.Errorf("a second time: %v, %v", got, err)
	}
}

// TestLinesOfAServer: one that breaks off, over a real connection.
func TestLinesOfAServer(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = io.WriteString(w, "{\"n\":1}\n{\"n\":2}\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer s.Close()
	for what, trailer := range map[string]orgd.Trailer{"no trailer": nil, "a trailer": counted} {
		resp, err := dial(t, s.URL).API().GetLiveness(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := collect(orgd.Lines[doc](resp, trailer)); len(got) != 2 || !errors.Is(err, orgd.ErrIncomplete) {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
}

func TestPages(t *testing.T) {
	pages := map[string][]doc{"": {{1}, {2}}, "a": {}, "b": {{3}}}
	next := map[string]string{"": "a", "a": "b"}
	var asked []string
	fetch := func(_ context.Context, cursor string) ([]doc, string, error) {
		asked = append(asked, cursor)
		return pages[cursor], next[cursor], nil
	}
	seq := orgd.Pages(t.Context(), fetch)
	for range 2 { // it can be gone through again
		asked = nil
		got, err := collect(seq)
		if diff := cmp.Diff([]int{1, 2, 3}, got); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		if diff := cmp.Diff([]string{"", "a", "b"}, asked); diff != "" {
			t.Error(diff)
		}
	}
	asked = nil
	for range seq {
		break
	}
	if len(asked) != 1 {
		t.Errorf("a loop that was left at once asked for %q", asked)
	}
}

func TestPagesEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	for what, c := range map[string]struct {
		fetch func(context.Context, string) ([]doc, string, error)
		want  []int
		err   error
	}{
		"an error": {func(_ context.Context, cursor string) ([]doc, string, error) {
			if cursor == "x" {
				return []doc{{9}}, "y", orgd.ErrSuspended
			}
			return []doc{{1}}, "x", nil
		}, []int{1}, orgd.ErrSuspended},
		"a cursor that stays": {func(context.Context, string) ([]doc, string, error) { return []doc{{1}}, "x", nil }, []int{1, 1}, nil},
		"a context that ends": {func(context.Context, string) ([]doc, string, error) { cancel(); return []doc{{1}}, "x", nil }, []int{1}, context.Canceled},
	} {
		ctx := ctx
		if what != "a context that ends" {
			ctx = t.Context()
		}
		got, err := collect(orgd.Pages(ctx, c.fetch))
		if diff := cmp.Diff(c.want, got); diff != "" || err == nil || c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: %v %s", what, err, diff)
		}
	}
}
