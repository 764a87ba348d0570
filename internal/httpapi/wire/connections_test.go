package wire

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// bounded starts a server with few connections, whose handler reads the body of a request.
func bounded(t *testing.T, max, perAddress int, trusted ...netip.Prefix) (addr string, c *Connections) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c = NewConnections(max, perAddress, trusted)
	reads := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	server := NewServer(reads, slog.New(slog.DiscardHandler), c)
	done := make(chan error, 1)
	go func() { done <- server.Serve(c.Listen(l)) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return l.Addr().String(), c
}

// connected opens a connection.
func connected(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return conn
}

// asked sends a request over a connection and returns the answer; status 0 if the
// connection has ended.
func asked(t *testing.T, conn net.Conn) (status int, body string) {
	t.Helper()
	_, _ = fmt.Fprint(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
	a, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer a.Body.Close()
	text, _ := io.ReadAll(a.Body)
	return a.StatusCode, string(text)
}

// counts is how many connections are counted, from how many addresses, and how many rest.
func (c *Connections) counts() (open, addresses, resting int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open, len(c.byAddress), c.resting.Len()
}

// TestAConnectionThatRestsMakesRoom: there is always a connection for a client with a request,
// however many rest.
func TestAConnectionThatRestsMakesRoom(t *testing.T) {
	t.Parallel()
	addr, c := bounded(t, 4, 100)
	var all []net.Conn
	for range 12 {
		conn := connected(t, addr)
		if status, body := asked(t, conn); status != 200 {
			t.Fatalf("connection %d: %d %s", len(all)+1, status, body)
		}
		all = append(all, conn)
		eventually(t, "it rests", func() bool {
			open, _, resting := c.counts()
			return open == resting
		})
	}
	if open, _, _ := c.counts(); open > 4 {
		t.Errorf("%d connections", open)
	}
	if status, _ := asked(t, all[0]); status != 0 {
		t.Error("the one that has rested longest is still there")
	}
	if status, body := asked(t, all[11]); status != 200 {
		t.Errorf("the last one: %d %s", status, body)
	}
	for _, conn := range all {
		_ = conn.Close()
	}
	eventually(t, "all are forgotten", func() bool {
		open, addresses, resting := c.counts()
		return open == 0 && addresses == 0 && resting == 0
	})
}

// TestTooManyConnections that all do something: a new one is told so.
func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	for name, test := range map[string]struct {
		max, perAddress int
		trusted         []netip.Prefix
		refused         bool
	}{
		"in all":               {3, 100, nil, true},
		"from an address":      {100, 3, nil, true},
		"from a trusted proxy": {100, 3, []netip.Prefix{loopback}, false},
	} {
		t.Run(name, func(t *testing.T) {
			addr, c := bounded(t, test.max, test.perAddress, test.trusted...)
			for range 3 { // a body is on its way
				conn := connected(t, addr)
				_, _ = fmt.Fprint(conn, "POST /admin/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
			}
			eventually(t, "three requests are under way", func() bool {
				open, _, resting := c.counts()
				return open == 3 && resting == 0
			})
			status, body := asked(t, connected(t, addr))
			if test.refused && (status != 503 || !strings.Contains(body, `"code":"unavailable"`)) || !test.refused && status != 200 {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

// TestTheHeadOfARequestHasFewLines: however small they are, and on a connection that has
// been used before.
func TestTheHeadOfARequestHasFewLines(t *testing.T) {
	t.Parallel()
	addr, _ := bounded(t, 100, 100)
	for _, lines := range []int{300, 600, 50_000} {
		conn := connected(t, addr)
		for range 3 {
			if status, body := asked(t, conn); status != 200 {
				t.Fatalf("%d %s", status, body)
			}
		}
		go func() { // the server need not read it to the end
			_, _ = fmt.Fprint(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("a:b\r\n", lines)+"\r\n")
		}()
		a, err := http.ReadResponse(bufio.NewReader(conn), nil)
		want := 200
		if lines > maxHeaderLines {
			want = 431
		}
		if err != nil || a.StatusCode != want || want == 431 && a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%d lines: %v, %v", lines, a, err)
		}
	}
}

// A body is not a head, however many lines it has.
func TestTheLinesOfABodyAreNotCounted(t *testing.T) {
	t.Parallel()
	addr, _ := bounded(t, 100, 100)
	conn := connected(t, addr)
	body := `{"email":"a@x.example","password":"correct horse"` + strings.Repeat("\n", 20_000) + `}`
	_, _ = fmt.Fprintf(conn, "POST /admin/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	a, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || a.StatusCode == 431 {
		t.Errorf("%v, %v", a, err)
	}
}

// Addresses of one IPv6 /64 have one share.
func TestConnectionsAreSharedByNetwork(t *testing.T) {
	c := NewConnections(10, 2, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	for addr, want := range map[string]string{
		"192.0.2.1:99": "192.0.2.1/32", "[::ffff:192.0.2.1]:99": "192.0.2.1/32", "10.1.2.3:99": "",
		"[2001:db8:1:2:3::4]:99": "2001:db8:1:2::/64", "[2001:db8:1:2::9]:98": "2001:db8:1:2::/64",
	} {
		at, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.shareOf(at); got != want {
			t.Errorf("%s has the share of %q, want %q", addr, got, want)
		}
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come to it that %s", what)
		}
	}
}
