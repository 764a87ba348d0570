// Package client sends requests to the servers that are measured, by clients that cost
// next to nothing and by those of net/http.
package client

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// A Client sends one request after the other and reads the answers.
type Client interface {
	// Do returns the answer's body, valid until the next call. A status other than
	// want is an error: nothing here is expected to fail, and an error is often
	// cheaper to answer than what was asked for.
	Do(r Request, want int) ([]byte, error)
	Close()
}

// A Request is a request with all that can be prepared before it is sent.
type Request struct {
	method, target string
	token          string // empty: none
	body           []byte
	wire           []byte // as leanClient sends it
}

// NewRequest is a request without a token; a nil body is none.
func NewRequest(method, target string, body []byte) Request {
	return NewRequestAs("", method, target, body)
}

// NewRequestAs is a request with a token, unless that is empty.
func NewRequestAs(token, method, target string, body []byte) Request {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n", method, target)
	if token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", token)
	}
	if body != nil {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return Request{method: method, target: target, token: token, body: body, wire: b.Bytes()}
}

// requestTimeout bounds one request: in a storm of logins a login waits for its turn.
const requestTimeout = 30 * time.Second

// A leanClient is one keep-alive connection. It understands no more of HTTP than
// the servers here say, and costs a fraction of what net/http's client does: what
// the load costs is taken from the servers, on the same processors, and brings
// any two of them closer together.
type leanClient struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte
}

// Dial connects a lean client.
func Dial(addr string) (*leanClient, error) {
	conn, err := net.DialTimeout("tcp", addr, requestTimeout)
	if err != nil {
		return nil, err
	}
	return &leanClient{conn: conn, in: bufio.NewReader(conn)}, nil
}

// Close implements Client.
func (c *leanClient) Close() { _ = c.conn.Close() }

// Do implements Client.
func (c *leanClient) Do(r Request, want int) ([]byte, error) {
	if err := c.conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(r.wire); err != nil {
		return nil, err
	}
	status, length, err := c.head()
	if err != nil {
		return nil, fmt.Errorf("read an answer: %w", err)
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	c.body = c.body[:length]
	if _, err := io.ReadFull(c.in, c.body); err != nil {
		return nil, fmt.Errorf("read an answer: %w", err)
	}
	return c.body, CheckStatus(status, want, c.body)
}

// CheckStatus is an error if the status of an answer is not want.
func CheckStatus(status, want int, body []byte) error {
	if status != want {
		return fmt.Errorf("status %d where %d is due: %s", status, want, body)
	}
	return nil
}

var contentLength = []byte("Content-Length: ")

// head reads the status line and the headers.
func (c *leanClient) head() (status, length int, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, 0, fmt.Errorf("not a status line: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, err
	}
	length = -1
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if len(line) > len(contentLength) && bytes.EqualFold(line[:len(contentLength)], contentLength) {
			if length, err = strconv.Atoi(string(line[len(contentLength):])); err != nil {
				return 0, 0, err
			}
		}
	}
	if length < 0 {
		return 0, 0, errors.New("an answer without Content-Length")
	}
	return status, length, nil
}

// A goClient sends requests with net/http's client, as most programs in Go do.
type goClient struct {
	http *http.Client
	base string
}

// NetHTTP returns clients that share an http.Client, with a connection for each.
func NetHTTP(addr string, n int) []Client {
	shared := &http.Client{
		Timeout:   requestTimeout,
		Transport: &http.Transport{MaxIdleConns: n, MaxIdleConnsPerHost: n},
	}
	all := make([]Client, n)
	for i := range all {
		all[i] = goClient{shared, "http://" + addr}
	}
	return all
}

// Lean returns clients that cost next to nothing, each with a connection.
func Lean(addr string, n int) ([]Client, error) {
	var all []Client
	for range n {
		c, err := Dial(addr)
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	return all, nil
}

// Close implements Client.
func (c goClient) Close() { c.http.CloseIdleConnections() }

// Do implements Client.
func (c goClient) Do(r Request, want int) ([]byte, error) {
	req, err := http.NewRequest(r.method, c.base+r.target, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return body, CheckStatus(resp.StatusCode, want, body)
}
