package app_test

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/orgd/orgd/internal/app/apptest"
)

// A journal is an http.RoundTripper that remembers all answers of a test, in order
// to hold them against the servers' logs in the end: every answer must be found
// there under its request id, and nothing secret anywhere.
type journal struct {
	mu      sync.Mutex
	servers []*apptest.Server
	answers []recorded
	secrets []string
}

type recorded struct {
	path, id, text string // text is the whole: headers and body
	status         int
}

// follow makes a server's log part of what is checked.
func (j *journal) follow(s *apptest.Server) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.servers = append(j.servers, s)
}

// keep notes texts that must not appear in the log, nor in an answer; but a token
// does, once, in the answer to the login.
func (j *journal) keep(secrets ...string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range secrets {
		if len(s) >= 8 { // a shorter one is found by chance
			j.secrets = append(j.secrets, s)
		}
	}
}

// RoundTrip implements http.RoundTripper.
func (j *journal) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	_ = resp.Header.Write(&text) // to a buffer: cannot fail
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	text.Write(body)
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), ending{err}))
	j.mu.Lock()
	defer j.mu.Unlock()
	j.answers = append(j.answers, recorded{path: req.URL.Path, id: resp.Header.Get("X-Request-Id"), text: text.String(), status: resp.StatusCode})
	return resp, nil
}

// ending is how a body ended.
type ending struct{ err error }

func (e ending) Read([]byte) (int, error) {
	if e.err == nil {
		return 0, io.EOF
	}
	return 0, e.err
}

func (j *journal) log() string {
	var all strings.Builder
	for _, s := range j.servers {
		all.WriteString(s.Log())
	}
	return all.String()
}

// issued is where a token does belong.
var issued = regexp.MustCompile(`"access_token":"[^"]*"`)

var loggedID = regexp.MustCompile(`request_id=([^ \n]+)`)

// check is called when the servers have stopped.
func (j *journal) check(t *testing.T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	log := j.log()
	logged := map[string]bool{}
	for _, m := range loggedID.FindAllStringSubmatch(log, -1) {
		logged[m[1]] = true
	}
	for _, a := range j.answers {
		if !logged[a.id] {
			t.Errorf("the log has nothing of request %s: %d of %s", a.id, a.status, a.path)
		}
	}
	for _, secret := range j.secrets {
		if where := strings.Index(log, secret); where >= 0 {
			t.Errorf("the log holds the secret %q: …%s…", secret, log[max(0, where-200):min(len(log), where+len(secret)+50)])
		}
		for _, a := range j.answers {
			if strings.Contains(issued.ReplaceAllString(a.text, ""), secret) {
				t.Errorf("the answer %d of %s holds the secret %q: %s", a.status, a.path, secret, a.text)
			}
		}
	}
}
