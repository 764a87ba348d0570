package httpapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/httpapi/transfer"
	"github.com/orgd/orgd/internal/tenant"
)

func init() { openapi3filter.RegisterBodyDecoder(transfer.LinesType, openapi3filter.PlainBodyDecoder) } // it knows none

// lines are those of a stream, as JSON.
func (a answer) lines(t testing.TB) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(a.body) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil || !strings.HasSuffix(line, "\n") {
			t.Fatalf("a line %q: %v", line, err)
		}
		all = append(all, m)
	}
	return all
}

// imports sends lines, and returns the last line of the answer and those of errors,
// "line code pointer" each.
func (s *server) imports(conflict, body string) (result string, errs []string) {
	s.t.Helper()
	a := s.ask(200, "POST", "/org/import"+conflict, body, "Content-Type: application/x-ndjson")
	all := a.lines(s.t)
	for _, line := range all[:len(all)-1] {
		if line["type"] == "error" {
			errs = append(errs, fmt.Sprint(line["line"], " ", line["code"], " ", line["pointer"]))
		}
	}
	last := all[len(all)-1]
	if last["type"] != "result" {
		s.t.Fatalf("the last line is %v", last)
	}
	return fmt.Sprintf("%v: %v in, %v over, %v left, %v refused of %v", last["complete"], last["inserted"], last["replaced"], last["skipped"], last["failed"], last["lines"]), errs
}

func (s *server) exports(query string) []string {
	s.t.Helper()
	a := s.ask(200, "GET", "/org/export"+query, "")
	if got := a.header.Get("Content-Type"); got != transfer.LinesType {
		s.t.Errorf("the export is %q", got)
	}
	return slices.Collect(strings.Lines(a.body))
}

func TestImportAndExport(t *testing.T) {
	s := startData(t)
	const lines = `{"_id":"b","n":1}` + "\n\n  \r\n" + `{"n":2,"_id":"a"}` + "\r\n" + `{"_id":{"$oid":"0123456789abcdef01234567"}}` + "\n" + `{"_trailer":{"documents":3,"complete":true}}` + "\n" + `{"_id":7}`
	if got, errs := s.imports("", lines); got != "true: 4 in, 0 over, 0 left, 0 refused of 4" || errs != nil {
		t.Errorf("imported %s %q", got, errs)
	}
	want := []string{
		`{"_id":7}` + "\n", `{"_id":"a","n":2}` + "\n", `{"_id":"b","n":1}` + "\n", `{"_id":{"$oid":"0123456789abcdef01234567"}}` + "\n",
		`{"_trailer":{"documents":4,"complete":true}}` + "\n",
	}
	if got := s.exports(""); !slices.Equal(got, want) {
		t.Errorf("exported %q", got)
	}
	if got := s.exports("?filter=" + url.QueryEscape(`{"n":{"$gte":2}}`) + "&canonical=true"); !slices.Equal(got, []string{
		`{"_id":"a","n":{"$numberInt":"2"}}` + "\n", `{"_trailer":{"documents":1,"complete":true}}` + "\n",
	}) {
		t.Errorf("exported %q", got)
	}
	if got, _ := s.imports("?on_conflict=replace", strings.Join(want, "")); got != "true: 0 in, 4 over, 0 left, 0 refused of 4" {
		t.Errorf("an export put back: %s", got)
	}
	if got, _ := s.imports("", ""); got != "true: 0 in, 0 over, 0 left, 0 refused of 0" {
		t.Errorf("nothing: %s", got)
	}
}

func TestImportConflicts(t *testing.T) {
	s := startData(t)
	s.ask(201, "POST", "/org/indexes", `{"name":"by_k","keys":[{"path":"k"}],"unique":true}`)
	s.imports("", `{"_id":1,"k":"one"}`+"\n"+`{"_id":2,"k":"two"}`+"\n")
	const lines = `{"_id":1,"k":"one","v":1}` + "\n" + `{"_id":3,"k":"two"}` + "\n" + `{"_id":4,"k":"four"}` + "\n" + `{"_id":4,"k":"five"}` + "\n"
	for _, c := range []struct {
		query, want string
		errs        []string
		after       string
	}{
		{"", "true: 1 in, 0 over, 0 left, 3 refused of 4", []string{"1 document_exists <nil>", "2 duplicate_key <nil>", "4 document_exists <nil>"}, "four"},
		{"?on_conflict=skip", "true: 1 in, 0 over, 3 left, 0 refused of 4", nil, "four"},
		{"?on_conflict=replace", "true: 1 in, 2 over, 0 left, 1 refused of 4", []string{"2 duplicate_key <nil>"}, "five"},
	} {
		if got, errs := s.imports(c.query, lines); got != c.want || !slices.Equal(errs, c.errs) {
			t.Errorf("%s: %s %q", c.query, got, errs)
		}
		if got := s.exports("?filter=" + url.QueryEscape(`{"_id":4}`))[0]; !strings.Contains(got, c.after) {
			t.Errorf("%s: the last but one of the two is there: %s", c.query, got)
		}
		a := s.exports("?filter=" + url.QueryEscape(`{"_id":{"$in":[4]}}`))
		if len(a) != 2 {
			t.Fatalf("%q", a)
		}
		s.removeFour(t)
	}
}

func (s *server) removeFour(t *testing.T) {
	t.Helper()
	// No path names a number.
	four := docdb.Eq("_id", int32(4))
	docs := s.store.Documents(s.store.acme.ID)
	page, _, err := docs.ExportPage(t.Context(), four, bson.RawValue{})
	if err == nil && len(page) == 1 {
		err = docs.Delete(t.Context(), docdb.ID(page[0]), tenant.Condition{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestRefusedLines(t *testing.T) {
	s := startData(t)
	deep := strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101)
	result, errs := s.imports("", strings.Join([]string{
		`{"_id":1}`, `{"_id":`, `[]`, `{"_rev":1}`, `{"a":{"$gt":1}}`, deep, `{"":1}`, "{\"a\":\"\xff\"}", `{"a":1,"a":2}`, `{"_id":[]}`,
		`{"_trailer":{"complete":false}}`, `{"_trailer":1}`, `{"_trailer":{},"a":1}`, `{"_id":2}`,
	}, "\n"))
	want := []string{
		"2 malformed #", "3 malformed #", "4 malformed #/_rev", "5 malformed #/a/$gt", "6 malformed #/a", "7 malformed #/", "8 malformed #", "9 malformed #/a",
		"10 invalid <nil>", "11 invalid <nil>", "12 malformed #/_trailer", "13 malformed #/_trailer",
	}
	for i := range want { // of a deep one the place is long
		if i < len(errs) && strings.HasPrefix(errs[i], want[i]) {
			want[i] = errs[i]
		}
	}
	if result != "true: 2 in, 0 over, 0 left, 12 refused of 14" || !slices.Equal(errs, want) {
		t.Errorf("%s\n%q\n%q", result, errs, want)
	}
}

func TestTooLargeLinesAreRefusedAlone(t *testing.T) {
	s := startData(t)
	result, errs := s.imports("", strings.Join([]string{
		`{"a":[` + strings.Repeat("1,", 3<<20) + `1]}`, `{"a":"` + strings.Repeat("x", 16<<20) + `"}`, `{"a":"` + strings.Repeat("x", 16<<20-64) + `"}`,
		strings.Repeat(" ", contract.DocumentBodyLimit) + `{}`, `{"_id":1}`,
	}, "\n"))
	if result != "true: 2 in, 0 over, 0 left, 3 refused of 5" || !slices.Equal(errs, []string{"1 too_large <nil>", "2 too_large <nil>", "4 body_too_large <nil>"}) {
		t.Errorf("%s %q", result, errs)
	}
	if got := s.exports(""); len(got) != 3 || len(got[1]) < 15<<20 {
		t.Errorf("there are %d lines", len(got))
	}
}

func TestManyRefusedLinesAreOnlyCounted(t *testing.T) {
	s := startData(t)
	result, errs := s.imports("", strings.Repeat("x\n", 2500)+`{"_id":1}`)
	if result != "true: 1 in, 0 over, 0 left, 2500 refused of 2501" || len(errs) != 1000 || errs[0] != "1 malformed #" {
		t.Errorf("%s and %d errors", result, len(errs))
	}
}

func TestImportTakesLinesOnly(t *testing.T) {
	s := startData(t)
	s.refuses(415, "unsupported_media_type", "Send Content-Type: application/x-ndjson.", "POST", "/org/import", `{}`)
	s.refuses(400, "malformed", "on_conflict", "POST", "/org/import?on_conflict=merge", `{}`, "Content-Type: application/x-ndjson")
	s.refuses(400, "malformed", "filter", "GET", "/org/export?filter="+url.QueryEscape(`{"a":{"$where":1}}`), "")
	s.refuses(400, "malformed", "no body", "GET", "/org/export", `{}`)
	if a := s.do("POST", "/org/import", "x", "Content-Type: application/x-ndjson"); a.status != 401 {
		t.Errorf("without a token: %d", a.status)
	}
}

func TestHeadOfAnExportReadsLittle(t *testing.T) {
	s := startData(t)
	if a := s.ask(200, "HEAD", "/org/export", ""); a.header.Get("Content-Type") != transfer.LinesType || a.body != "" {
		t.Errorf("%v %q", a.header, a.body)
	}
}

// An upload is a POST whose body the test writes, and whose answer it reads, by hand.
type upload struct {
	net.Conn
	in *bufio.Reader
}

func (s *server) upload(t *testing.T, target string) upload {
	t.Helper()
	return s.uploadAs(t, s.bearer(), target)
}

func (s *server) uploadAs(t *testing.T, bearer, target string) upload {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n", target, bearer)
	return upload{conn, bufio.NewReader(conn)}
}

func (u upload) send(text string) error {
	_, err := fmt.Fprintf(u, "%x\r\n%s\r\n", len(text), text)
	return err
}

// answer reads the answer to its end.
func (u upload) answer(t *testing.T) answer {
	t.Helper()
	resp, err := http.ReadResponse(u.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("the answer is cut off: %v", err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func TestImportAnswersWhileItGoes(t *testing.T) {
	s := startData(t)
	u := s.upload(t, "/org/import")
	if err := u.send(`{"_id":1}` + "\nx\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(u.in, nil) // and the body is not at its end
	if err != nil {
		t.Fatal(err)
	}
	first, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || !strings.Contains(first, `"line":2`) && !strings.Contains(first, `"inserted":1`) {
		t.Errorf("%q %v", first, err)
	}
}

// A client that reads nothing before it has sent everything is not stuck, however
// much there is to tell it.
func TestImportForClientsThatDoNotListen(t *testing.T) {
	s := startData(t)
	u := s.upload(t, "/org/import")
	long := `{"` + strings.Repeat("é", 300) + `":1,"_` + strings.Repeat("x", 400) + `":1}` + "\n"
	for range 40 {
		if err := u.send(strings.Repeat(long, 500)); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprint(u, "0\r\n\r\n")
	if a := u.answer(t); !strings.Contains(a.body, `"failed":20000,"complete":true`) {
		t.Errorf("%.300s", a.body)
	}
}

func TestImportOfAClientThatStandsStill(t *testing.T) {
	s := startData(t)
	s.api.frame.Timeouts.Stream = 200 * time.Millisecond
	u := s.upload(t, "/org/import")
	if err := u.send(`{"_id":1}` + "\n" + `{"_id":2}`); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	a := u.answer(t)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	last := a.lines(t)[len(a.lines(t))-1]
	if last["complete"] != false || last["code"] != "malformed" || last["inserted"] != 1.0 {
		t.Errorf("%v", last)
	}
	if got := s.exports(""); len(got) != 2 || got[0] != `{"_id":1}`+"\n" {
		t.Errorf("there is %q", got)
	}
}

// Who is refused is told at once, however slowly the stream comes.
func TestImportIsRefusedBeforeItsEnd(t *testing.T) {
	s := startData(t)
	s.api.frame.Timeouts.Body = time.Hour
	u := s.uploadAs(t, "Authorization: Bearer none", "/org/import")
	if err := u.send(`{"_id":1}` + "\n"); err != nil {
		t.Fatal(err)
	}
	if a := u.answer(t); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Nothing of a stream that is not read to its end is taken for another request.
func TestImportGivenUpEndsItsConnection(t *testing.T) {
	s := startData(t)
	s.store.answers("InsertMany", "org_", errors.New("the disk is gone"))
	u := s.upload(t, "/org/import")
	if err := u.send(`{"_id":1}` + "\n"); err != nil {
		t.Fatal(err)
	}
	padding := strings.Repeat(" ", 1<<20)
	for range 9 { // MiB; of 8 the server still takes
		if u.send(padding) != nil {
			break
		}
	}
	fmt.Fprint(u, "0\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
	if a := u.answer(t); !strings.Contains(a.body, `"complete":false`) {
		t.Errorf("%.300s", a.body)
	}
	if next, err := http.ReadResponse(u.in, nil); err == nil {
		t.Errorf("the connection goes on: %s", next.Status)
	}
	if text := s.log.String(); strings.Contains(text, "panic") {
		t.Error(text)
	}
}

// One byte now and then is as good as none.
func TestImportOfAClientThatDrips(t *testing.T) {
	s := startData(t)
	s.api.frame.Timeouts.Stream = 200 * time.Millisecond
	u := s.upload(t, "/org/import")
	began := time.Now()
	for time.Since(began) < 10*time.Second {
		if u.send(" ") != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestExportToAClientThatStandsStill(t *testing.T) {
	var out *http.Request
	s := startData(t)
	s.api.frame.Timeouts.Stream = 200 * time.Millisecond
	var body strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&body, `{"_id":%d,"text":%q}`+"\n", i, strings.Repeat("x", 10_000))
	}
	s.imports("", body.String())
	out, err := http.NewRequest("GET", s.url+"/org/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	out.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := http.DefaultClient.Do(out)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	s.log.lines(t, "request", 2)
	time.Sleep(time.Second)
	if text, err := io.ReadAll(resp.Body); err == nil || bytes.Contains(text, []byte("_trailer")) {
		t.Errorf("all of it came: %d bytes, %v", len(text), err)
	}
}

// TestWhatEndsAStream: a suspension in the middle, and storage that fails.
func TestWhatEndsAStream(t *testing.T) {
	s := startData(t)
	u := s.upload(t, "/org/import")
	if err := u.send(`{"_id":1}` + "\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := u.in.Peek(1); err != nil { // progress
		t.Fatal(err)
	}
	s.store.must(s.store.SuspendOrganization(t.Context(), s.store.acme.ID))
	for range 100 { // it need not take all of it
		if err := u.send(strings.Repeat(`{"a":1}`+"\n", 100)); err != nil {
			t.Fatal(err)
		}
	}
	last := u.answer(t).lines(t)
	if got := last[len(last)-1]; got["complete"] != false || got["code"] != "suspended" || got["inserted"] != 1.0 {
		t.Errorf("suspended: %v", got)
	}
	s.store.must(s.store.ResumeOrganization(t.Context(), s.store.acme.ID))

	var body strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&body, `{"_id":"x%05d"}`+"\n", i)
	}
	s.imports("", body.String())
	var calls atomic.Int64
	s.store.faulty.On(func(c faulty.Call) error {
		if c.Op == "Find" && calls.Add(1) > 2 {
			return errors.New("innards")
		}
		return nil
	})
	a := s.ask(200, "GET", "/org/export", "")
	end := a.lines(t)[len(a.lines(t))-1]["_trailer"].(map[string]any)
	if end["complete"] != false || end["code"] != "internal" || end["documents"] != 2000.0 || strings.Contains(a.body, "innards") {
		t.Errorf("storage failed: %v", end)
	}
	s.log.lines(t, "stream failed", 1)
	s.store.answers("InsertMany", "org_", docdb.ErrUnavailable)
	if got, _ := s.imports("", `{"_id":"new"}`); !strings.HasPrefix(got, "false: 0 in") {
		t.Errorf("without storage: %s", got)
	}
}
