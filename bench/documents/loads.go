package documents

import (
	"sync/atomic"

	"github.com/orgd/orgd/bench/client"
	"github.com/orgd/orgd/bench/fixture"
)

// Loads are gets of documents that are there and inserts of new documents, by one
// organization.
type Loads struct {
	token string
	gets  []client.Request
	next  atomic.Int64 // number of the next new document
}

// NewLoads is of an organization that has that many documents, from number 0.
func NewLoads(token string, there int) *Loads {
	l := &Loads{token: token}
	const some = 10_000 // these lie in nearly every block of the engine's tables
	for i := range min(some, there) {
		l.gets = append(l.gets, client.NewRequestAs(token, "GET", "/org/documents/"+fixture.ID(i*7_919%there), nil))
	}
	l.next.Store(int64(there))
	return l
}

func (l *Loads) get(c client.Client, n int) error {
	_, err := c.Do(l.gets[n%len(l.gets)], 200)
	return err
}

func (l *Loads) insert(c client.Client, _ int) error {
	n := int(l.next.Add(1) - 1)
	_, err := c.Do(client.NewRequestAs(l.token, "POST", "/org/documents", fixture.Append(make([]byte, 0, 512), n)), 201)
	return err
}

// Operations are the requests that are measured.
var Operations = []struct {
	Name string
	Do   func(*Loads) func(client.Client, int) error
}{
	{"`GET /org/documents/{id}`", func(l *Loads) func(client.Client, int) error { return l.get }},
	{"`POST /org/documents`", func(l *Loads) func(client.Client, int) error { return l.insert }},
}
