package app_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/app/apptest"
)

const asLines = "Content-Type: application/x-ndjson"

// An export is one that was read whole.
type export struct {
	ids     []string
	trailer map[string]any
}

func readExport(t *testing.T, body string) (e export) {
	t.Helper()
	for line := range strings.Lines(body) {
		var doc struct {
			ID      string         `json:"_id"`
			Trailer map[string]any `json:"_trailer"`
		}
		if err := json.Unmarshal([]byte(line), &doc); err != nil || e.trailer != nil {
			t.Fatalf("the line %q behind %v: %v", line, e.trailer, err)
		}
		if e.trailer = doc.Trailer; e.trailer == nil {
			e.ids = append(e.ids, doc.ID)
		}
	}
	if e.trailer["complete"] != true || e.trailer["documents"] != float64(len(e.ids)) {
		t.Errorf("%d documents and %v", len(e.ids), e.trailer)
	}
	return e
}

// TestExportMissesNothing: whatever is written, and however often the data moves, a
// document that is there all the time is in every export, once.
func TestExportMissesNothing(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, w *world) {
		w.longOnMongoDB()
		acc := w.account("Acme")
		bystanders, enough := 5000, int64(3)
		if w.uri != "" { // slower
			bystanders, enough = 2500, 1
		}
		var lines strings.Builder
		for i := range bystanders {
			fmt.Fprintf(&lines, `{"_id":"b%06d"}`+"\n", i*10)
		}
		w.do("POST", "/org/import", lines.String(), acc.auth, asLines).is(200)

		stop := make(chan struct{})
		var others sync.WaitGroup
		defer others.Wait()
		defer close(stop)
		again := func(f func(round int)) {
			others.Go(func() {
				for round := 0; ; round++ {
					select {
					case <-stop:
						return
					default:
						f(round)
					}
				}
			})
		}
		var moves atomic.Int64
		again(func(int) {
			w.do("PUT", "/org/update", `{}`, acc.auth).is(200)
			moves.Add(1)
		})
		again(func(round int) {
			var body strings.Builder
			for i := range 200 {
				fmt.Fprintf(&body, `{"_id":"b%06d","round":%d}`+"\n", (round*200+i)%bystanders*10+5, round)
			}
			w.do("POST", "/org/import?on_conflict=replace", body.String(), acc.auth, asLines).is(200)
		})
		for began := time.Now(); moves.Load() < enough && time.Since(began) < time.Minute; {
			e := readExport(t, w.do("GET", "/org/export", "", acc.auth).is(200).body)
			next, last := 0, ""
			for _, id := range e.ids {
				if id <= last {
					t.Fatalf("%s behind %s", id, last)
				}
				if last = id; id == fmt.Sprintf("b%06d", next*10) {
					next++
				}
			}
			if next != bystanders {
				t.Fatalf("the bystander %d of %d is missing, after %d moves", next, bystanders, moves.Load())
			}
		}
	})
}

// endless is a body of lines that is made as it is read.
type endless struct {
	line  func(i int) []byte
	left  int // lines
	next  int
	rest  []byte
	total int64
}

// Read implements io.Reader.
func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(e.rest) == 0 {
			if e.left == 0 {
				return n, eofUnless(n)
			}
			e.rest = e.line(e.next)
			e.left, e.next = e.left-1, e.next+1
		}
		copied := copy(p[n:], e.rest)
		e.rest, n = e.rest[copied:], n+copied
		e.total += int64(copied)
	}
	return n, nil
}

func eofUnless(n int) error {
	if n > 0 {
		return nil
	}
	return io.EOF
}

// liveHeap is what the last collection of garbage has left, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// peak runs f and returns by how much the heap grew meanwhile, at most.
func peak(f func()) int64 {
	runtime.GC()
	before, most := liveHeap(), uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				most = max(most, liveHeap())
			}
		}
	}()
	f()
	close(stop)
	<-done
	return int64(most) - int64(before)
}

// TestStreamsTakeLittleMemory is about 200 MB each way, in small documents and in
// large ones. It runs alone: what it measures is the whole process's.
func TestStreamsTakeLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: make test-long")
	}
	text := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // a megabyte
	for name, one := range map[string]struct {
		lines int
		line  func(i int) []byte
	}{
		"small": {1_000_000, func(i int) []byte {
			return fmt.Appendf(nil, `{"_id":%d,"text":%q}`+"\n", i, text[:170])
		}},
		"large": {200, func(i int) []byte { return fmt.Appendf(nil, `{"_id":%d,"text":%q}`+"\n", i, text) }},
	} {
		t.Run(name, func(t *testing.T) {
			s := apptest.Start(t)
			auth := signUp(t, s)
			body := &endless{left: one.lines, line: one.line}
			began := time.Now()
			grown := peak(func() {
				last := streamTo(t, s, auth, "POST", "/org/import", body)
				if want := fmt.Sprintf(`"inserted":%d,"replaced":0,"skipped":0,"failed":0,"complete":true`, one.lines); !strings.Contains(last, want) {
					t.Fatalf("imported %.300s", last)
				}
			})
			t.Logf("import: %d MB, %.0f documents/s, the heap grew by %d MB", body.total>>20, float64(one.lines)/time.Since(began).Seconds(), grown>>20)
			if grown > mostMemory {
				t.Errorf("an import of %d MB took %d MB of memory", body.total>>20, grown>>20)
			}
			began = time.Now()
			grown = peak(func() {
				last := streamTo(t, s, auth, "GET", "/org/export", http.NoBody)
				if want := fmt.Sprintf(`{"_trailer":{"documents":%d,"complete":true}}`, one.lines); last != want+"\n" {
					t.Fatalf("exported %.300s", last)
				}
			})
			t.Logf("export: %.0f documents/s, the heap grew by %d MB", float64(one.lines)/time.Since(began).Seconds(), grown>>20)
			if grown > mostMemory {
				t.Errorf("an export took %d MB of memory", grown>>20)
			}
		})
	}
}

// mostMemory is what a stream may take, the storage's buffers included.
const mostMemory = 100 << 20

// signUp creates an organization and returns its token.
func signUp(t *testing.T, s *apptest.Server) string {
	t.Helper()
	email, token := newEmail(), struct {
		Token string `json:"access_token"`
	}{}
	post(t, s.URL+"/org/create", object("organization_name", "Acme", "email", email, "password", password), &struct{}{})
	post(t, s.URL+"/admin/login", object("email", email, "password", password), &token)
	return "Bearer " + token.Token
}

func post(t *testing.T, target, body string, out any) {
	t.Helper()
	resp, err := http.Post(target, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil || resp.StatusCode > 201 {
		t.Fatalf("POST %s: %d %v", target, resp.StatusCode, err)
	}
}

// streamTo sends a body and returns the last line of the answer.
func streamTo(t *testing.T, s *apptest.Server, auth, method, path string, body io.Reader) (last string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", auth)
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case err == bufio.ErrBufferFull: // of a long line the rest is enough
		case err == io.EOF:
			return last
		case err != nil:
			t.Fatal(err)
		default:
			last = string(line)
		}
	}
}

// TestImportOfAClientThatLeaves: what was told to be there is there, and the server
// has nothing left to wait for.
func TestImportOfAClientThatLeaves(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	auth := signUp(t, s)
	body, client := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/org/import", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", auth)
	req.Header.Set("Content-Type", "application/x-ndjson")
	go func() {
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(client, `{"_id":"b%09d"}`+"\n", i); err != nil {
				return
			}
		}
	}()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	var told struct {
		Type     string
		Inserted int
	}
	answers := bufio.NewScanner(resp.Body)
	for told.Inserted < 10_000 && answers.Scan() {
		if err := json.Unmarshal(answers.Bytes(), &told); err != nil || told.Type != "progress" {
			t.Fatalf("%s %v", answers.Text(), err)
		}
	}
	_ = client.CloseWithError(io.ErrClosedPipe)
	_ = resp.Body.Close()

	last := streamTo(t, s, auth, "GET", "/org/export", http.NoBody)
	var end struct {
		Trailer struct {
			Documents int
			Complete  bool
		} `json:"_trailer"`
	}
	if err := json.Unmarshal([]byte(last), &end); err != nil || !end.Trailer.Complete || end.Trailer.Documents < told.Inserted {
		t.Errorf("told of %d documents, there are %+v %v", told.Inserted, end, err)
	}
	began := time.Now()
	if s.Stop(t); time.Since(began) > 10*time.Second {
		t.Errorf("it took %v to stop", time.Since(began))
	}
}
