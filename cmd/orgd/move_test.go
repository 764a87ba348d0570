package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// A session is that of an admin on several instances.
type session struct {
	http.Client
	token string
}

// send returns the status, 0 if there was no answer, the body and the header.
func (s *session) send(p *process, method, path, body string, header ...string) (int, string, http.Header) {
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		return 0, err.Error(), nil
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.Do(req)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error(), nil
	}
	return resp.StatusCode, string(text), resp.Header
}

// field is a field of a JSON object, "" if it is no string.
func field(object, name string) string {
	var fields map[string]any
	_ = json.Unmarshal([]byte(object), &fields)
	s, _ := fields[name].(string)
	return s
}

// A writer writes one document again and again, each time a higher number.
type writer struct {
	id           string
	acknowledged int // the last number of which it was told that it is there
	last         int // the last that it has sent
}

// run writes through the first orgd that answers.
func (w *writer) run(s *session, orgds []*process, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		w.last++
		for _, p := range orgds {
			status, _, _ := s.send(p, "PUT", "/org/documents/"+w.id, fmt.Sprintf(`{"n": %d}`, w.last))
			if status == 200 || status == 201 {
				w.acknowledged = w.last
			}
			if status != 0 {
				break
			}
		}
	}
}

// fillCollection puts n documents into a collection, past orgd.
func fillCollection(t *testing.T, c docdb.Collection, n int) {
	t.Helper()
	for i := 0; i < n; i += 500 {
		var docs []bson.Raw
		for k := range min(500, n-i) {
			raw, err := bson.Marshal(bson.D{{Key: "_id", Value: fmt.Sprintf("still%06d", i+k)}, {Key: "n", Value: i + k}})
			if err != nil {
				t.Fatal(err)
			}
			docs = append(docs, raw)
		}
		if _, err := c.InsertMany(t.Context(), docs); err != nil {
			t.Fatal(err)
		}
	}
}

// Two orgds on one database: one is killed in the middle of a move, while clients
// write through both. The other finishes the move, and what was acknowledged is there.
func TestKilledInTheMiddleOfAMoveLosesNothing(t *testing.T) {
	t.Parallel()
	db := mongotest.Start(t)
	env := []string{"MONGO_URI=" + db.URI(), "JWT_SECRET=q0Z8mFvT3rYx6LkS1nWb9PdJ4hGc7AeU2iXo5Rt"}
	mover, other := serveOrgd(t, env...), serveOrgd(t, env...)
	a := attempt{name: "Acme", email: "admin@kill.example", password: "correct horse"}
	status, created := mover.post(http.DefaultClient, "/org/create", a.body())
	_, login := mover.post(http.DefaultClient, "/admin/login", a.login())
	s := &session{token: field(login, "access_token")}
	if status != 201 || s.token == "" {
		t.Fatal(status, created, login)
	}
	e, err := mongodb.Open(t.Context(), mongodb.Config{URI: db.URI(), Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const still = 4000
	fillCollection(t, e.Database("tenant_db").Collection(field(created, "collection_name")), still)

	var (
		all     sync.WaitGroup
		stop    = make(chan struct{})
		writers [6]writer
	)
	for i := range writers {
		writers[i].id = fmt.Sprint("written", i)
		orgds := []*process{mover, other}
		if i%2 == 1 {
			orgds = []*process{other, mover}
		}
		all.Go(func() { writers[i].run(s, orgds, stop) })
	}
	status, said, header := s.send(mover, "PUT", "/org/update", "{}", "Prefer", "respond-async")
	if status != 202 {
		t.Fatal(status, said)
	}
	operation := header.Get("Location")
	awaitOperation(t, s, mover, operation, func(op string) bool { return field(op, "step") == "copy" })
	if err := mover.kill(); err != nil {
		t.Fatal(err)
	}
	awaitOperation(t, s, other, operation, func(op string) bool { return field(op, "state") == "succeeded" })
	close(stop)
	all.Wait()
	for _, w := range writers {
		_, doc, _ := s.send(other, "GET", "/org/documents/"+w.id, "")
		var found struct{ N int }
		if err := json.Unmarshal([]byte(doc), &found); err != nil || found.N < w.acknowledged || found.N > w.last || w.acknowledged == 0 {
			t.Errorf("%s was acknowledged up to %d of %d, and is %s", w.id, w.acknowledged, w.last, doc)
		}
	}
	_, now, _ := s.send(other, "GET", "/org/get?organization_name=Acme", "")
	n, err := e.Database("tenant_db").Collection(field(now, "collection_name")).Count(t.Context(), docdb.Filter{})
	if err != nil || n != still+int64(len(writers)) {
		t.Errorf("there are %d documents, %v; before there were %d and %d writers", n, err, still, len(writers))
	}
	other.stop(t)
	soundStorage(t, e, "master_db", "tenant_db", 1)
}

// awaitOperation waits until an operation is as it should be.
func awaitOperation(t *testing.T, s *session, p *process, path string, is func(op string) bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * patience); ; time.Sleep(5 * time.Millisecond) {
		_, op, _ := s.send(p, "GET", path, "")
		if is(op) {
			return
		}
		if state := field(op, "state"); state == "failed" || state == "succeeded" || time.Now().After(deadline) {
			t.Fatalf("the operation is %s", op)
		}
	}
}
