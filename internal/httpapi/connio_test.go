package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orgd/orgd/internal/fair"
)

// TestWhoReadsNothingHoldsNoTurn: there are more clients than turns that do not take their
// large answers, and one who does gets its own whole.
func TestWhoReadsNothingHoldsNoTurn(t *testing.T) {
	const size = 15 << 20 // more than the buffers of a connection hold
	s := startData(t)
	s.ask(201, "PUT", "/org/documents/large", `{"a":"`+strings.Repeat("x", size)+`"}`)
	addr := serveBounded(t, s, NewConnections(100, 100, nil))
	ask := func() *http.Response {
		conn := connected(t, addr)
		_, _ = fmt.Fprintf(conn, "GET /org/documents/large HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", s.bearer())
		a, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	places, spare := fair.Processors()
	for range places + spare + 1 {
		if a := ask(); a.StatusCode != 200 { // of which nobody reads the body
			t.Fatal(a.Status)
		}
	}
	var doc struct{ A string }
	if err := json.NewDecoder(ask().Body).Decode(&doc); err != nil || len(doc.A) != size {
		t.Errorf("%d characters came: %v", len(doc.A), err)
	}
}

// TestWritesOfSocketsThatCannotBeTried are those of net.Pipe.
func TestWritesOfSocketsThatCannotBeTried(t *testing.T) {
	one, other := net.Pipe()
	n := NewConnections(1, 1, nil).admit(one)
	go func() {
		_, _ = n.Write([]byte("hello"))
		_ = n.Close()
	}()
	if text, err := io.ReadAll(other); err != nil || string(text) != "hello" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestAnExportGoesOnWithOnePlace: it holds none while it reads the next page, for which the
// storage takes one.
func TestAnExportGoesOnWithOnePlace(t *testing.T) {
	const count = 5000
	s := startData(t)
	s.api.processors = fair.NewQueue(1, 0)
	var lines strings.Builder
	for n := range count {
		fmt.Fprintf(&lines, `{"_id":%d,"a":%q}`+"\n", n, strings.Repeat("x", 500))
	}
	s.imports("", lines.String())
	addr := serveBounded(t, s, NewConnections(100, 100, nil))
	conn := connected(t, addr)
	_, _ = fmt.Fprintf(conn, "GET /org/export HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", s.bearer())
	a, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(a.Body)
	if n := strings.Count(string(text), "\n"); err != nil || n != count+1 {
		t.Errorf("%d lines came: %v", n, err)
	}
}

// TestAnAnswerLooksAtTheClockNowAndThen: after so many bytes of documents, and at once where
// its turn may be new. To look is to fail here: the turn is used up, and the client has left.
func TestAnAnswerLooksAtTheClockNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		leave()
		queue, work := fair.NewQueue(0, 0), new(fair.Work)
		work.Begin(queue, "acme")
		p := newPacedWriter(ctx, httptest.NewRecorder(), time.Minute, new(hold), work.Turn())
		p.conn = new(connection)
		looks := func(bytes int) bool { return p.shareFor(bytes) != nil }
		if looks(1) {
			t.Fatal("the turn is used up when it begins")
		}
		time.Sleep(10 * time.Millisecond)
		if looks(shareEvery-1) || !looks(1) {
			t.Errorf("it does not look after %d bytes", shareEvery)
		}
		if p.endTurn(); !looks(1) {
			t.Error("it does not look in a new turn")
		}
		if _, err := p.Write([]byte("x")); err != nil || !looks(1) {
			t.Errorf("it does not look after a write: %v", err)
		}
		if !looks(shareEvery) {
			t.Error("it does not look for a large document")
		}
	})
}
