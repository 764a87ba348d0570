package contracttest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"sync"
)

// Config says how answers are looked at. The zero Config will do.
type Config struct {
	// Base sends the requests. Default: http.DefaultTransport.
	Base http.RoundTripper
	// Seen, if not nil, counts the documented answers.
	Seen *Coverage
	// Expect are the statuses from 500 on that the test provokes. Every other
	// fails it: a fault of the server is never what a test happens to see.
	Expect []int
}

// Transport is an http.RoundTripper that fails its test on answers that break the
// contract. It reads every answer whole before it hands it on.
type Transport struct {
	t        TB
	config   Config
	contract *Contract
}

// TB is what a Transport needs of a test; *testing.T and *rapid.T have it.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// New returns a Transport for a test.
func New(t TB, c Config) *Transport {
	t.Helper()
	contract, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if c.Base == nil {
		c.Base = http.DefaultTransport
	}
	return &Transport{t: t, config: c, contract: contract}
}

// RoundTrip implements http.RoundTripper.
func (tr *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := tr.config.Base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil { // cut off: for the caller to see, and nothing to hold against the contract
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), broken{err}))
		return resp, nil
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	tr.look(req, resp, body)
	return resp, nil
}

// broken is a reader that fails.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func (tr *Transport) look(req *http.Request, resp *http.Response, body []byte) {
	for _, err := range tr.contract.Check(req, resp, body) {
		tr.t.Errorf("%s %s: %d breaks the contract: %v\n%s", req.Method, req.URL.Path, resp.StatusCode, err, body)
	}
	if resp.StatusCode >= 500 && !slices.Contains(tr.config.Expect, resp.StatusCode) {
		tr.t.Errorf("%s %s: a fault of the server, %d: %s", req.Method, req.URL.Path, resp.StatusCode, body)
	}
	if route, id := tr.contract.operation(req); id != "" && tr.config.Seen != nil {
		tr.config.Seen.add(Response{id, resp.StatusCode}, headerCasesOf(route, resp))
	}
}

// Coverage counts the answers that were seen of those the contract documents. It
// is safe for concurrent use; its zero value is ready.
type Coverage struct {
	mu      sync.Mutex
	seen    map[Response]int
	headers map[HeaderCase]bool
}

func (c *Coverage) add(r Response, headers []HeaderCase) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen, c.headers = map[Response]int{}, map[HeaderCase]bool{}
	}
	c.seen[r]++
	for _, h := range headers {
		c.headers[h] = true
	}
}

// Count returns how often an answer was seen.
func (c *Coverage) Count(r Response) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[r]
}

// Missing lists the documented answers that were not seen.
func (c *Coverage) Missing() ([]Response, error) {
	contract, err := Load()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(contract.Responses(), func(r Response) bool { return c.Count(r) > 0 }), nil
}

// MissingHeaders lists the headers that may be there or not, of which only one was seen.
func (c *Coverage) MissingHeaders() ([]HeaderCase, error) {
	contract, err := Load()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(contract.HeaderCases(), func(h HeaderCase) bool { return c.headers[h] }), nil
}
