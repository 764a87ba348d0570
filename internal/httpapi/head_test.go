package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/orgd/orgd"
	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/httpapi/guard"
	"github.com/orgd/orgd/internal/httpapi/wire"
)

// longest is a value of a parameter that is as long as it can be: in characters of four
// bytes, unless they have to be others.
func longest(s *openapi3.Schema) string {
	switch {
	case s.Type.Is(openapi3.TypeInteger):
		return fmt.Sprint(int64(*s.Max))
	case s.Type.Is(openapi3.TypeBoolean):
		return "false"
	case len(s.Enum) > 0:
		return slices.MaxFunc(s.Enum, func(a, b any) int { return len(a.(string)) - len(b.(string)) }).(string)
	case s.Format == "uuid":
		return nobodysID
	case s.Format == "cursor", s.Pattern != "": // which are ASCII, and need no encoding
		return strings.Repeat("x", int(*s.MaxLength))
	}
	return strings.Repeat("🐘", int(*s.MaxLength))
}

// longestHead is the longest head of a request that the contract allows.
func longestHead(e *contract.Endpoint, token string) string {
	target, query, headers := e.Path, url.Values{}, ""
	for _, p := range e.Parameters() {
		value := longest(p.Value.Schema.Value)
		switch p.Value.In {
		case openapi3.ParameterInPath:
			target = strings.ReplaceAll(target, "{"+p.Value.Name+"}", url.PathEscape(value))
		case openapi3.ParameterInQuery:
			query.Set(p.Value.Name, value)
		default:
			headers += p.Value.Name + ": " + value + "\r\n"
		}
	}
	return e.Method + " " + target + "?" + query.Encode() + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" +
		"Content-Type: application/merge-patch+json\r\nContent-Length: 0\r\n" +
		"X-Request-Id: " + strings.Repeat("r", 128) + "\r\nAuthorization: Bearer " + token + "\r\n" + headers + "\r\n"
}

// TestTheLongestHead adds up what the contract allows: it fits, with room for what clients
// and proxies add, and there is not much more room than that.
func TestTheLongestHead(t *testing.T) {
	t.Parallel()
	ct, err := contract.Parse(orgd.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	longest := 0
	for _, e := range ct {
		longest = max(longest, len(longestHead(e, strings.Repeat("t", guard.MaxTokenLength))))
	}
	if room := wire.MaxHeaderBytes - longest; room < 6<<10 || room > 16<<10 {
		t.Errorf("the longest head has %d bytes and may have %d", longest, wire.MaxHeaderBytes)
	}
}

// TestLongHeads: the longest that the contract allows is read, whatever becomes of it; what
// is too long is a problem.
func TestLongHeads(t *testing.T) {
	t.Parallel()
	s := start(t)
	ct, err := contract.Parse(orgd.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	list := longestHead(ct["listDocuments"], strings.Repeat("t", guard.MaxTokenLength))
	for _, c := range []struct {
		name, head string
		status     int
	}{
		{"the longest list", list, 401},
		{"with 6 KiB besides", strings.Replace(list, "\r\n\r\n", "\r\nCookie: "+strings.Repeat("c", 6<<10)+"\r\n\r\n", 1), 401},
		{"just too long", padded(list, wire.MaxHeaderBytes+10), 431}, // of which net/http may have a byte that is not counted
		{"just not too long", padded(list, wire.MaxHeaderBytes), 401},
		{"ten times too long", padded(list, 640<<10), 431},
		{"a line that does not end", "GET /" + strings.Repeat("x", 80<<10), 431},
	} {
		conn := dial(t, s.url)
		if status, body := livez(t, conn); status != 200 { // on a connection that was used before
			t.Fatalf("%d %s", status, body)
		}
		go func() { _, _ = io.WriteString(conn, c.head) }() // the server does not read it to the end
		a, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		body, _ := io.ReadAll(a.Body)
		if a.StatusCode != c.status || a.Header.Get("Content-Type") != "application/problem+json" ||
			c.status == 431 && !strings.Contains(string(body), "larger than 65536 bytes. For a long filter there is POST /org/documents/query.") {
			t.Errorf("%s: %d %v %s, want %d", c.name, a.StatusCode, a.Header, body, c.status)
		}
	}
}

// padded makes a head that long.
func padded(head string, length int) string {
	const name = "Cookie: "
	return strings.Replace(head, "\r\n\r\n", "\r\n"+name+strings.Repeat("c", length-len(head)-len(name)-2)+"\r\n\r\n", 1)
}

// livez sends a request over a connection and returns the answer; status 0 if the
// connection has ended.
func livez(t *testing.T, conn net.Conn) (status int, body string) {
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
