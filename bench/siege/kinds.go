package siege

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orgd/orgd/bench/fixture"
	"github.com/orgd/orgd/bench/organization"
	"github.com/orgd/orgd/bench/process"
)

// A kind is one way to be hostile, which each client repeats.
type kind struct {
	name    string
	clients int // of all hostile organizations together
	run     func(ctx context.Context, t organization.Session, client int, seen func(status int))
}

// hostileDocuments is how many small documents a hostile organization has.
const hostileDocuments = 20_000

// arm gives a hostile organization what its clients need: many documents, and a large
// document, a list of a million nulls.
func (g *siege) arm(ctx context.Context, t organization.Session) error {
	if _, err := t.Load(ctx, hostileDocuments, func(dst []byte, n int) []byte { return append(fixture.Append(dst, n), '\n') }); err != nil {
		return err
	}
	large := `{"_id":"large","a":[null` + strings.Repeat(",null", 1_000_000) + `]}`
	if status, _ := ask(ctx, http.DefaultClient, t, "PUT", "/org/documents/large", []byte(large)); status != 201 {
		return fmt.Errorf("a large document was answered %d", status)
	}
	return nil
}

var kinds = []kind{
	{"scans", 64, asking("GET", func(int) string { return "/org/documents?filter=" + url.QueryEscape(`{"nothing":1}`) + "&count=true" }, nil)},
	{"long-filters", 32, asking("POST", func(int) string { return "/org/documents/query" }, func(int) []byte { return []byte(`{"filter":` + longFilter() + `}`) })},
	{"stats", 32, asking("GET", func(int) string { return "/org/stats" }, nil)},
	{"exports", 32, asking("GET", func(int) string { return "/org/export" }, nil)},
	{"large-gets", 32, asking("GET", func(int) string { return "/org/documents/large" }, nil)},
	{"projections", 32, asking("GET", func(int) string { return "/org/documents?fields=" + strings.Repeat("a.", 60) + "b" }, nil)},
	{"patches", 16, asking("PATCH", func(int) string { return "/org/documents/large" }, func(int) []byte { return []byte(`{"b":` + strings.Repeat(`{"a":`, 90) + `1` + strings.Repeat(`}`, 91)) })},
	{"deep", 32, asking("POST", func(int) string { return "/org/documents" }, func(int) []byte { return []byte(`{"a":` + strings.Repeat(`{"$date":`, 300_000)) })},
	{"large-puts", 16, asking("PUT", func(c int) string { return fmt.Sprintf("/org/documents/put%d", c) }, func(int) []byte { return []byte(`{"a":[1` + strings.Repeat(",1", 1_000_000) + `]}`) })},
	{"imports", 16, asking("POST", func(int) string { return "/org/import?on_conflict=replace" }, importLines)},
	{"indexes", 8, asking("POST", func(int) string { return "/org/indexes" }, func(c int) []byte { return fmt.Appendf(nil, `{"name":"i%d","keys":[{"path":"a.%d"}]}`, c, c) })},
	{"wrong-logins", 32, asking("POST", func(int) string { return "/admin/login" }, func(c int) []byte {
		return fmt.Appendf(nil, `{"email":%q,"password":"wrong horse %d"}`, organization.Email(c%3), c)
	})},
	{"unfinished-bodies", 100, unfinished},
	{"slow-readers", 50, slowReader},
	{"headers", 50, headers},
}

func longFilter() string {
	var b strings.Builder
	b.WriteString(`{"$or":[{"a":7}`)
	for i := range 300 {
		fmt.Fprintf(&b, `,{"a":%d}`, i)
	}
	b.WriteString(`]}`)
	return b.String()
}

func importLines(client int) []byte {
	var b []byte
	for n := range 20_000 {
		b = append(fixture.Append(b, client*20_000+n), '\n')
	}
	return b
}

// A tally is how often hostile clients got each status. 0 stands for a connection that
// ended without an answer.
type tally map[int]int

// String implements fmt.Stringer.
func (s tally) String() string {
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(s)) {
		parts = append(parts, fmt.Sprintf("%d × %d", s[status], status))
	}
	return strings.Join(parts, ", ")
}

// Hostile is the helper that runs hostile clients; its arguments are KIND ADDRESS DURATION,
// and the lines of the standard input are the tokens of their organizations. It writes
// the tally of the answers.
func Hostile(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 3 {
		return errors.New("usage: hostile KIND ADDRESS DURATION")
	}
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == args[0] })
	lasts, err := time.ParseDuration(args[2])
	tokens, err2 := io.ReadAll(os.Stdin)
	if err := errors.Join(err, err2); err != nil || i < 0 {
		return fmt.Errorf("hostile %s: %w", args[0], err)
	}
	ctx, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	k, all := kinds[i], strings.Fields(string(tokens))
	var clients sync.WaitGroup
	var mu sync.Mutex
	answers := tally{}
	for n := range k.clients {
		clients.Go(func() {
			k.run(ctx, organization.Session{Orgd: &process.Server{Addr: args[1]}, Token: all[n%len(all)]}, n, func(status int) {
				mu.Lock()
				defer mu.Unlock()
				answers[status]++
			})
		})
	}
	clients.Wait()
	return json.NewEncoder(stdout).Encode(answers)
}

// asking makes clients that send one request after the other and read the answers.
func asking(method string, target func(client int) string, body func(client int) []byte) func(context.Context, organization.Session, int, func(int)) {
	return func(ctx context.Context, t organization.Session, client int, seen func(status int)) {
		h := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
		defer h.CloseIdleConnections()
		var data []byte
		if body != nil {
			data = body(client)
		}
		for ctx.Err() == nil {
			if status, ok := ask(ctx, h, t, method, target(client), data); ok {
				seen(status)
			}
		}
	}
}

// ask sends one request. It reports false when the siege ended before the answer.
func ask(ctx context.Context, h *http.Client, t organization.Session, method, target string, body []byte) (status int, ok bool) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+t.Orgd.Addr+target, strings.NewReader(string(body)))
	if err != nil {
		panic(err) // it is one of siegeKinds
	}
	r.Header.Set("Authorization", "Bearer "+t.Token)
	switch {
	case strings.Contains(target, "import"):
		r.Header.Set("Content-Type", "application/x-ndjson")
	case method == "PATCH":
		r.Header.Set("Content-Type", "application/merge-patch+json")
	case body != nil:
		r.Header.Set("Content-Type", "application/json")
	}
	a, err := h.Do(r)
	if err != nil {
		time.Sleep(time.Millisecond)
		return 0, ctx.Err() == nil
	}
	defer a.Body.Close()
	_, _ = io.Copy(io.Discard, a.Body)
	return a.StatusCode, true
}

// raw sends a text over a connection of its own, which it keeps for two seconds.
func raw(ctx context.Context, t organization.Session, text string) {
	conn, err := net.Dial("tcp", t.Orgd.Addr)
	if err != nil {
		time.Sleep(10 * time.Millisecond)
		return
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(2 * time.Second):
	}
}

// unfinished announces a large body, and sends one byte.
func unfinished(ctx context.Context, t organization.Session, _ int, _ func(int)) {
	for ctx.Err() == nil {
		raw(ctx, t, "POST /org/documents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "+t.Token+"\r\nContent-Length: 33554432\r\n\r\n{")
	}
}

// slowReader asks for a large answer and does not read it.
func slowReader(ctx context.Context, t organization.Session, _ int, _ func(int)) {
	for ctx.Err() == nil {
		raw(ctx, t, "GET /org/documents/large HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+t.Token+"\r\n\r\n")
	}
}

// headers sends as many header lines as are accepted.
func headers(ctx context.Context, t organization.Session, _ int, _ func(int)) {
	text := "GET /livez HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("a:b\r\n", 90_000) + "\r\n"
	for ctx.Err() == nil {
		raw(ctx, t, text)
	}
}
