package httpapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/orgd/orgd/internal/fair"
)

// TestAClientThatReadsNothingHoldsNoTurn: more clients than there are turns do not take their
// large answers, and a client that does gets its own whole.
func TestAClientThatReadsNothingHoldsNoTurn(t *testing.T) {
	const size = 15 << 20 // more than the buffers of a connection hold
	s := startData(t)
	s.ask(201, "PUT", "/org/documents/large", `{"a":"`+strings.Repeat("x", size)+`"}`)
	ask := func() *http.Response {
		conn := dial(t, s.url)
		_, _ = fmt.Fprintf(conn, "GET /org/documents/large HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", s.bearer())
		a, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	places, spare := fair.Processors()
	for range places + spare + 1 {
		if a := ask(); a.StatusCode != 200 { // whose body is not read
			t.Fatal(a.Status)
		}
	}
	var doc struct{ A string }
	if err := json.NewDecoder(ask().Body).Decode(&doc); err != nil || len(doc.A) != size {
		t.Errorf("%d characters came: %v", len(doc.A), err)
	}
}

// TestAnExportGoesOnWithOnePlace: it holds none while it reads the next page, for which the
// storage takes one.
func TestAnExportGoesOnWithOnePlace(t *testing.T) {
	const count = 5000
	s := startData(t)
	s.api.frame.Processors = fair.NewQueue(1, 0)
	var lines strings.Builder
	for n := range count {
		fmt.Fprintf(&lines, `{"_id":%d,"a":%q}`+"\n", n, strings.Repeat("x", 500))
	}
	s.imports("", lines.String())
	conn := dial(t, s.url)
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
