package httpapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/tenant"
)

func TestMediaTypes(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		headers []string
		status  int
	}{
		{[]string{"Content-Type: application/json"}, 200},
		{[]string{"Content-Type: application/json; charset=utf-8"}, 200},
		{[]string{"Content-Type: Application/JSON;charset=\"UTF-8\""}, 200},
		{[]string{"Content-Type: application/json; profile=x"}, 200},
		{[]string{"Content-Encoding: identity"}, 200},
		{[]string{"Content-Type: "}, 415},
		{[]string{"Content-Type: application/json; charset=iso-8859-1"}, 415},
		{[]string{"Content-Type: application/json; charset=utf-16"}, 415},
		{[]string{"Content-Type: text/plain"}, 415},
		{[]string{"Content-Type: text/json"}, 415},
		{[]string{"Content-Type: application/x-www-form-urlencoded"}, 415},
		{[]string{"Content-Type: multipart/form-data; boundary=x"}, 415},
		{[]string{"Content-Type: application/xml"}, 415},
		{[]string{"Content-Type: application/merge-patch+json"}, 415},
		{[]string{"Content-Type: application/json, text/plain"}, 415},
		{[]string{"Content-Type: application/json; charset"}, 415},
		{[]string{"Content-Type: */*"}, 415},
		{[]string{"Content-Type: nonsense"}, 415},
		{[]string{"Content-Encoding: gzip"}, 415},
		{[]string{"Content-Type: application/json", "X-Ignored: 1"}, 200},
	} {
		got := s.do("POST", "/admin/login", login, c.headers...)
		if got.status != c.status {
			t.Errorf("%q: %d, want %d: %s", c.headers, got.status, c.status, got.body)
		}
		if c.status == 415 && (got.code() != "unsupported_media_type" || s.store.asked() != "") {
			t.Errorf("%q: %s", c.headers, got.body)
		}
		s.store.asked()
	}
	req, _ := http.NewRequest("POST", s.url+"/admin/login", strings.NewReader(login))
	req.Header["Content-Type"] = []string{"application/json", "application/json"}
	if got := s.send(req); got.status != 415 {
		t.Errorf("two Content-Type headers: %d", got.status)
	}
	// Without a body there is nothing that its type could be wrong of.
	if got := s.do("DELETE", "/org/delete", "", "Content-Type: text/plain", s.bearer()); got.status != 200 {
		t.Errorf("Content-Type without a body: %d %s", got.status, got.body)
	}
}

// counted counts what is read of it; its length is not known.
type counted struct {
	left, read int64
}

func (c *counted) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), c.left)
	for i := range p[:n] {
		p[i] = ' '
	}
	c.left -= n
	c.read += n
	return int(n), nil
}

func TestLargeBodies(t *testing.T) {
	const eight = 8 << 20
	s := start(t)
	t.Run("declared", func(t *testing.T) {
		body := &counted{left: eight}
		r := httptest.NewRequest("POST", "/org/create", io.NopCloser(body))
		r.ContentLength = eight
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.api.ServeHTTP(w, r)
		if w.Code != 413 || body.read != 0 {
			t.Errorf("%d after %d bytes", w.Code, body.read)
		}
	})
	t.Run("of unknown length", func(t *testing.T) {
		body := &counted{left: eight}
		r := httptest.NewRequest("POST", "/org/create", io.NopCloser(body))
		r.ContentLength = -1
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.api.ServeHTTP(w, r)
		if w.Code != 413 || body.read > DefaultBodyLimit+1 {
			t.Errorf("%d after %d bytes", w.Code, body.read)
		}
		want := `{"type":"about:blank","title":"Request Entity Too Large","status":413,"code":"body_too_large","detail":"The body is larger than 65536 bytes.",`
		if !strings.HasPrefix(w.Body.String(), want) {
			t.Errorf("body is %s", w.Body)
		}
	})
	t.Run("chunked over a connection", func(t *testing.T) {
		s.t = t
		body := &counted{left: eight}
		req, _ := http.NewRequest("POST", s.url+"/org/create", body)
		req.Header.Set("Content-Type", "application/json")
		if got := s.send(req); got.status != 413 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("a client that asks first is spared the sending", func(t *testing.T) {
		conn := dial(t, s.url)
		fmt.Fprintf(conn, "POST /org/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", eight)
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || line != "HTTP/1.1 413 Request Entity Too Large\r\n" {
			t.Errorf("%q %v", line, err)
		}
	})
	t.Run("the limit itself", func(t *testing.T) {
		s.t = t
		fits := login + strings.Repeat(" ", DefaultBodyLimit-len(login))
		if got := s.do("POST", "/admin/login", fits); got.status != 200 {
			t.Errorf("%d bytes: %d", len(fits), got.status)
		}
		if got := s.do("POST", "/admin/login", fits+" "); got.status != 413 {
			t.Errorf("%d bytes: %d", len(fits)+1, got.status)
		}
	})
	if asked := s.store.asked(); asked != authentication {
		t.Errorf("a body that was refused reached the store, which asked: %s", asked)
	}
}

func TestNothingIsReadForAClientThatMayNotSend(t *testing.T) {
	s := start(t)
	body := &counted{left: 1 << 10}
	r := httptest.NewRequest("PUT", "/org/update", io.NopCloser(body))
	r.ContentLength = -1
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, r)
	if w.Code != 401 || body.read != 0 {
		t.Errorf("%d after %d bytes", w.Code, body.read)
	}
}

func TestBodiesThatDoNotArrive(t *testing.T) {
	s := start(t)
	t.Run("cut off", func(t *testing.T) {
		conn := dial(t, s.url)
		fmt.Fprint(conn, "POST /admin/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
		conn.(*net.TCPConn).CloseWrite()
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || line != "HTTP/1.1 400 Bad Request\r\n" {
			t.Errorf("%q %v", line, err)
		}
	})
	t.Run("a chunked body where none belongs", func(t *testing.T) {
		s.t = t
		req, _ := http.NewRequest("DELETE", s.url+"/org/delete", io.MultiReader(strings.NewReader("{}")))
		req.Header.Set("Authorization", "Bearer "+s.token)
		if got := s.send(req); got.status != 400 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("an empty chunked one", func(t *testing.T) {
		s.t = t
		req, _ := http.NewRequest("PUT", s.url+"/org/update", io.MultiReader())
		req.Header.Set("Authorization", "Bearer "+s.token)
		req.Header.Set("Content-Type", "application/json")
		if got := s.send(req); got.status != 400 || got.errors()[0] != "#: is required" {
			t.Errorf("%d %s", got.status, got.body)
		}
		req, _ = http.NewRequest("DELETE", s.url+"/org/delete", io.MultiReader())
		req.Header.Set("Authorization", "Bearer "+s.token)
		if got := s.send(req); got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
}

// TestTheBodysDeadline shows that a slow body is given up, and that a request
// which takes longer than its body may is not: a deadline left in place would
// end its context.
func TestTheBodysDeadline(t *testing.T) {
	const short = 50 * time.Millisecond
	s := serve(t, openBackend(t, func(c *tenant.Config) {
		c.Passwords = plainPasswords{verifying: func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(3 * short):
				return nil
			}
		}}
	}))
	s.api.frame.Timeouts.Body = short
	if got := s.do("POST", "/admin/login", login); got.status != 200 {
		t.Errorf("a long request: %d %s", got.status, got.body)
	}
	// Whoever is refused before the body is read must not be waited for either.
	for request, status := range map[string]string{
		"POST /admin/login": "400 Bad Request", "PUT /org/update": "401 Unauthorized", "POST /nowhere": "404 Not Found", "POST /livez": "405 Method Not Allowed",
		"GET /livez": "400 Bad Request",
	} {
		for _, length := range []string{"Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n5\r\n{"} {
			conn := dial(t, s.url)
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s", request, length)
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || line != "HTTP/1.1 "+status+"\r\n" {
				t.Errorf("%s with a slow body: %q %v", request, line, err)
			}
		}
	}
}

func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return conn
}
