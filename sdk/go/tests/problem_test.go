package orgd_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	orgd "github.com/orgd/orgd/sdk/go"
)

// fails returns the error of a call that gets an answer.
func fails(t testing.TB, status int, body string, headers ...string) *orgd.Error {
	t.Helper()
	f := &fake{answer: func(int, *http.Request) (*http.Response, error) { return reply(status, body, headers...) }}
	_, err := f.client(t, orgd.WithRetries(0)).GetOrganization(t.Context(), "Acme Inc")
	e, ok := errors.AsType[*orgd.Error](err)
	if !ok {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	return e
}

func TestErrorHasAllOfAProblem(t *testing.T) {
	got := fails(t, 409, `{"type":"about:blank","title":"Conflict","status":409,"code":"operation_in_progress","detail":"The organization is being updated.",
		"operation_id":"019aaf2e-53c4-7d51-a2a7-5c5d6e6f7071","request_id":"4f1c","newer_member":1,
		"errors":[{"pointer":"#/email","detail":"is bad"},{"parameter":"limit","detail":"is worse"}]}`, "Retry-After", "5", "X-Request-Id", "header")
	want := &orgd.Error{Method: "GET", Path: "/org/get", Status: 409, Code: orgd.ErrOperationInProgress,
		Detail: "The organization is being updated.", RequestID: "4f1c", OperationID: "019aaf2e-53c4-7d51-a2a7-5c5d6e6f7071", RetryAfter: 5 * time.Second,
		Fields: []orgd.FieldError{{Pointer: "#/email", Detail: "is bad"}, {Parameter: "limit", Detail: "is worse"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	const text = "orgd: GET /org/get: 409 operation_in_progress: The organization is being updated. [#/email is bad] [limit is worse] (request 4f1c)"
	if got.Error() != text {
		t.Errorf("reads %q", got)
	}
	if !errors.Is(got, orgd.ErrOperationInProgress) || errors.Is(got, orgd.ErrNameTaken) || errors.Is(got, orgd.ErrOutcomeUnknown) {
		t.Error("errors.Is does not go by the code")
	}
}

func TestACodeNewerThanThisPackage(t *testing.T) {
	if e := fails(t, 418, `{"code":"brand_new"}`); !errors.Is(e, orgd.Code("brand_new")) {
		t.Error(e)
	}
}

func TestAnswersOfSomebodyElse(t *testing.T) {
	for _, c := range []struct {
		status            int
		body, typ, expect string
	}{
		{502, "<html><head><TITLE>\n 502 Bad\x00 Gateway </title><body>x", "text/html; charset=utf-8", "orgd: GET /org/get: 502 Bad Gateway: not an answer of orgd (text/html): 502 Bad Gateway"},
		{200, "<html><title>Sign in</title>", "text/html", "orgd: GET /org/get: 200 OK: not an answer of orgd (text/html): Sign in"},
		{503, "no healthy\nupstream", "text/plain", "orgd: GET /org/get: 503 Service Unavailable: not an answer of orgd (text/plain): no healthy upstream"},
		{502, "", "", "orgd: GET /org/get: 502 Bad Gateway: not an answer of orgd"},
		{500, "{", "application/problem+json", "orgd: GET /org/get: 500 Internal Server Error: not an answer of orgd (application/problem+json)"},
		{500, "null", "application/problem+json", "orgd: GET /org/get: 500 Internal Server Error: not an answer of orgd (application/problem+json)"},
		{400, `{"message":"no"}`, "application/json", "orgd: GET /org/get: 400 Bad Request: not an answer of orgd (application/json)"},
		{404, "\x00\x01", "application/octet-stream", "orgd: GET /org/get: 404 Not Found: not an answer of orgd (application/octet-stream)"},
		{599, "x", "nonsense;;", "orgd: GET /org/get: 599: not an answer of orgd (nonsense)"},
	} {
		e := fails(t, c.status, c.body, "Content-Type", c.typ)
		if e.Error() != c.expect || e.Code != "" || errors.Unwrap(e) != nil {
			t.Errorf("got  %q\nwant %q", e.Error(), c.expect)
		}
	}
}

func TestErrorsAreBounded(t *testing.T) {
	long := strings.Repeat("é\u202e\n", 1<<20)
	if e := fails(t, 502, long, "Content-Type", "text/plain", "X-Request-Id", strings.Repeat("r", 4000)); len(e.Error()) > 700 {
		t.Errorf("%d bytes", len(e.Error()))
	}
	field := fmt.Sprintf(`{"pointer":%q,"detail":"x"}`, strings.Repeat("p", 4000))
	e := fails(t, 422, fmt.Sprintf(`{"code":"invalid","detail":%q,"errors":[%s]}`, strings.Repeat("d", 4000), strings.Join([]string{field, field}, ",")))
	if len(e.Detail) > 2100 || len(e.Fields) != 2 || len(e.Fields[0].Pointer) > 2100 {
		t.Errorf("%+v", e)
	}
	if e := fails(t, 422, `{"code":"invalid","errors":[`+strings.Repeat(`{"detail":"x"},`, 500)+`{}]}`); len(e.Fields) != 100 {
		t.Errorf("%d fields", len(e.Fields))
	}
	if e := fails(t, 400, `{"code":"x\ny`+"\u202e"+`z","detail":"a\r\nlevel=ERROR b"}`); strings.ContainsAny(e.Error(), "\r\n\u202e") {
		t.Errorf("%q", e)
	}
}

// TestHugeErrorBody: not read to its end, whatever it is.
func TestHugeErrorBody(t *testing.T) {
	sent := make(chan int64, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(500)
		_, _ = io.WriteString(w, `{"code":"internal","detail":"`)
		n, _ := io.Copy(w, io.LimitReader(zeros{}, 1<<30))
		sent <- n
	}))
	defer s.Close()
	_, err := dial(t, s.URL).GetOrganization(t.Context(), "Acme")
	if e, ok := errors.AsType[*orgd.Error](err); !ok || e.Status != 500 {
		t.Error(err)
	}
	if n := <-sent; n > 100<<20 {
		t.Errorf("%d bytes were read", n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestAnswersThatAreNoAnswer: the status says that the request was carried out, but the
// answer cannot be read.
func TestAnswersThatAreNoAnswer(t *testing.T) {
	for what, answer := range map[string]outcome{
		"another type": func() (*http.Response, error) { return reply(200, "hello", "Content-Type", "text/plain") },
		"no body":      func() (*http.Response, error) { return reply(200, "") },
		"cut off":      func() (*http.Response, error) { return reply(200, `{"id":"019a`) },
		"too much":     func() (*http.Response, error) { return reply(200, organization+organization) },
		"another form": func() (*http.Response, error) { return reply(200, `[]`) },
	} {
		f := &fake{answer: always(answer)}
		c := f.client(t, orgd.WithToken("t"))
		if _, err := c.GetOrganization(t.Context(), "Acme"); err == nil || errors.Is(err, orgd.ErrOutcomeUnknown) {
			t.Errorf("%s: get: %v", what, err)
		}
		if _, err := c.DeleteOrganization(t.Context()); !errors.Is(err, orgd.ErrOutcomeUnknown) {
			t.Errorf("%s: delete: %v", what, err)
		}
	}
}

// TestHugeAnswer: JSON is read into memory, so its length is bounded.
func TestHugeAnswer(t *testing.T) {
	endless := func(int, *http.Request) (*http.Response, error) {
		resp, err := reply(200, "")
		resp.Body, resp.ContentLength = io.NopCloser(zeros{}), -1
		return resp, err
	}
	f := &fake{answer: endless}
	resp, err := f.client(t).API().GetLiveness(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); err == nil || n > 257<<20 {
		t.Errorf("read %d bytes, %v", n, err)
	}
}
