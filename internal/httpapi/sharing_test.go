package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/org"
)

// live is how much memory is used that cannot be collected.
func live() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// Hold opens connections that send what they are told to, and leaves them open.
func (s *server) open(t *testing.T, n int, send func(net.Conn)) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	var all sync.WaitGroup
	for i := range conns {
		conns[i] = dial(t, s.url)
		_ = conns[i].SetDeadline(time.Now().Add(60 * time.Second))
		all.Go(func() { send(conns[i]) })
	}
	all.Wait()
	return conns
}

// TestADeclaredLengthTakesNoMemory: 100 bodies of 32 MiB of which one byte came.
func TestADeclaredLengthTakesNoMemory(t *testing.T) {
	s := startData(t)
	before := live()
	conns := s.open(t, 100, func(conn net.Conn) {
		fmt.Fprintf(conn, "POST /org/documents HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", s.bearer(), contract.DocumentBodyLimit)
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
			t.Errorf("%q %v", line, err)
		}
		fmt.Fprint(conn, "{")
	})
	if grown := live() - before; grown > 16<<20 {
		t.Errorf("%d connections take %d MiB", len(conns), grown>>20)
	}
	if taken := s.api.Budget.Used(); taken != 0 {
		t.Errorf("%d bytes are taken of the budget", taken)
	}
}

// TestUnfinishedBodiesShareABudget: of 40 bodies of 31 MiB that do not end, those beyond the
// organization's share are refused before they are read.
func TestUnfinishedBodiesShareABudget(t *testing.T) {
	s := startData(t)
	before := live()
	var refused, waiting sync.Map
	send := func(conn net.Conn) {
		fmt.Fprintf(conn, "POST /org/documents HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", s.bearer(), contract.DocumentBodyLimit)
		s.flood(conn, 31, &refused, &waiting)
	}
	conns := s.open(t, 1, send) // before the others, which may be in each other's way until none has all it needs
	conns = append(conns, s.open(t, 39, send)...)
	n := count(&refused)
	if n < 36 || n > 39 || n+count(&waiting) != 40 {
		t.Errorf("of %d, %d are refused and %d wait", len(conns), n, count(&waiting))
	}
	refused.Range(func(_, told any) bool {
		a := told.(answer)
		if a.status != 503 || a.code() != string(org.Unavailable) || a.header.Get("Retry-After") != "2" {
			t.Errorf("it is told %d %v %s", a.status, a.header, a.body)
		}
		return true
	})
	if grown := live() - before; grown > memory.LargestRequest+16<<20 {
		t.Errorf("%d connections take %d MiB", len(conns), grown>>20)
	}
	if got := s.do("GET", "/org/documents", "", s.bearer()); got.status != 200 {
		t.Errorf("meanwhile a small request is answered %d %s", got.status, got.body)
	}
}

// TestUnfinishedLinesShareABudget: the same for lines of imports, which say so in their answer.
func TestUnfinishedLinesShareABudget(t *testing.T) {
	s := startData(t)
	before := live()
	var refused, waiting sync.Map
	send := func(conn net.Conn) {
		fmt.Fprintf(conn, "POST /org/import HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n", s.bearer(), 1<<40)
		s.flood(conn, 31, &refused, &waiting)
	}
	conns := s.open(t, 1, send) // before the others, which may be in each other's way until none has all it needs
	conns = append(conns, s.open(t, 39, send)...)
	if n := count(&refused); n < 36 || n > 39 || n+count(&waiting) != 40 {
		t.Errorf("of %d, %d are refused and %d wait", len(conns), n, count(&waiting))
	}
	refused.Range(func(_, told any) bool {
		a := told.(answer)
		if a.status == 503 {
			return true
		}
		all := a.lines(t)
		if last := all[len(all)-1]; a.status != 200 || last["complete"] != false || last["code"] != "unavailable" {
			t.Errorf("it is told %d %v", a.status, last)
		}
		return true
	})
	if grown := live() - before; grown > memory.LargestRequest+32<<20 {
		t.Errorf("%d connections take %d MiB", len(conns), grown>>20)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	s.settles(t)
}

// TestAnswersThatNobodyReadsShareABudget: 50 documents of 16 MiB, as themselves, in lists and
// in exports. They end when nothing is taken of them for a while.
func TestAnswersThatNobodyReadsShareABudget(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: make test-long")
	}
	s := startData(t)
	const size = 16<<20 - 100
	s.ask(201, "PUT", "/org/documents/large", `{"text":"`+strings.Repeat("x", size)+`"}`)
	for _, path := range []string{"/org/documents/large", "/org/documents", "/org/documents?fields=text", "/org/export"} {
		t.Run(path, func(t *testing.T) {
			s.t = t
			s.api.frame.Timeouts.Stream = 3 * time.Second
			before := live()
			var mu sync.Mutex
			statuses := map[string]int{}
			conns := s.open(t, 50, func(conn net.Conn) {
				_ = conn.(*net.TCPConn).SetReadBuffer(16 << 10)
				fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", path, s.bearer())
				line, _ := bufio.NewReaderSize(conn, 64).ReadString('\n')
				mu.Lock()
				defer mu.Unlock()
				statuses[strings.TrimSpace(line)]++
			})
			if grown := live() - before; grown > memory.LargestRequest+32<<20 {
				t.Errorf("%d connections take %d MiB", len(conns), grown>>20)
			}
			if statuses["HTTP/1.1 200 OK"] == 0 || statuses["HTTP/1.1 200 OK"]+statuses["HTTP/1.1 503 Service Unavailable"] != len(conns) {
				t.Errorf("they are answered %v", statuses)
			}
			s.settles(t) // and no client has read anything, or left
			if got := s.ask(200, "GET", "/org/documents/large", ""); len(got.body) < size {
				t.Errorf("afterwards %d bytes come", len(got.body))
			}
		})
	}
}

// settles waits until nothing is taken of the budget.
func (s *server) settles(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); s.api.Budget.Used() != 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes stay taken", s.api.Budget.Used())
		}
	}
}

func count(m *sync.Map) (n int) {
	m.Range(func(any, any) bool { n++; return true })
	return n
}

// flood sends so many MiB of a text that does not end, unless an answer comes before.
func (s *server) flood(conn net.Conn, mib int, refused, waiting *sync.Map) {
	told := make(chan answer, 1)
	go func() {
		defer close(told)
		in := bufio.NewReader(conn)
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if _, end := in.ReadByte(); err == nil && end != nil { // the connection is closed, too
			told <- answer{resp.StatusCode, resp.Header, string(body)}
		}
	}()
	piece := []byte(strings.Repeat("x", 1<<20))
	_, err := io.WriteString(conn, `{"a":"`)
	for i := 0; i < mib && err == nil; i++ {
		_, err = conn.Write(piece)
	}
	if err == nil {
		select {
		case a, ok := <-told:
			if ok {
				refused.Store(conn, a)
			}
		case <-time.After(2 * time.Second):
			waiting.Store(conn, true)
		}
		return
	}
	if a, ok := <-told; ok {
		refused.Store(conn, a)
	} else {
		refused.Store(conn, answer{status: 503, header: http.Header{"Retry-After": {"2"}}, body: `{"code":"unavailable"}`})
	}
}
