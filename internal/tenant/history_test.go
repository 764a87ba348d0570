package tenant_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// The histories of clients that read and write one organization's documents while
// it is moved are recorded and held against a map, by a linearizability checker.

// verb is what a client does with one document.
type verb int

const (
	get verb = iota
	insert
	put
	swap // put if the document still is the one read before
	del
	verbs
)

// call is one request; value is unique among all that are written.
type call struct {
	verb  verb
	id    string
	value string
	was   string // the value that a swap expects
}

// reply is what came back. value is that of a get.
type reply struct {
	kind  org.Kind // "" is success
	value string
	made  bool // a put found nothing
}

func (c call) String() string {
	return [...]string{"get", "insert", "put", "swap", "delete"}[c.verb] + "(" + c.id + ", " + c.value + ")"
}

// documentMap is what documents are without moves: each id has a value or none.
// The state is the value of one id, "" for none.
var documentMap = (&porcupine.NondeterministicModel{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byID := map[string][]porcupine.Operation{}
		for _, op := range history {
			id := op.Input.(call).id
			byID[id] = append(byID[id], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byID {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() []any { return []any{""} },
	Step: func(state, input, output any) []any {
		s, c, r := state.(string), input.(call), output.(reply)
		after := step(s, c)
		if r.kind == org.OutcomeUnknown {
			return []any{s, after.state}
		}
		if r.kind != after.kind || c.verb == get && r.value != s || c.verb == put && r.made != (s == "") {
			return nil
		}
		return []any{after.state}
	},
	Equal:             func(a, b any) bool { return a == b },
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%v = %+v", input, output) },
}).ToModel()

type outcome struct {
	state string
	kind  org.Kind
}

func step(s string, c call) outcome {
	switch c.verb {
	case insert:
		if s != "" {
			return outcome{s, org.DocumentExists}
		}
		return outcome{c.value, ""}
	case put:
		return outcome{c.value, ""}
	case swap:
		if s != c.was {
			return outcome{s, org.PreconditionFailed}
		}
		return outcome{c.value, ""}
	case del:
		if s == "" {
			return outcome{s, org.NotFound}
		}
		return outcome{"", ""}
	}
	if s == "" {
		return outcome{s, org.NotFound}
	}
	return outcome{s, ""}
}

// A history is recorded by many clients.
type history struct {
	began time.Time
	mu    sync.Mutex
	ops   []porcupine.Operation
	// unknown is how many clients were told that the outcome is unknown.
	unknown int
}

func (h *history) now() int64 { return int64(time.Since(h.began)) }

func (h *history) add(client int, c call, from int64, r reply) {
	if r.kind == org.OutcomeUnknown {
		h.mu.Lock()
		h.unknown++
		h.mu.Unlock()
	}
	op := porcupine.Operation{ClientId: client, Input: c, Call: from, Output: r, Return: h.now()}
	switch r.kind {
	case org.OutcomeUnknown:
		if c.verb == get {
			return
		}
		op.Return = math.MaxInt64 // it may still happen
	case org.Unavailable, org.TokenRevoked:
		return // says that nothing was done
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, op)
}

// check reports whether the history could have happened on a map.
func (h *history) check(t *testing.T) bool {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	result, info := porcupine.CheckOperationsVerbose(documentMap, h.ops, 10*time.Second)
	if result == porcupine.Unknown {
		t.Log("the checker gave up")
	}
	if result == porcupine.Illegal && *picture != "" {
		if err := porcupine.VisualizePath(documentMap, info, *picture); err != nil {
			t.Log(err)
		}
	}
	return result != porcupine.Illegal
}

var (
	picture = flag.String("picture", "", "write a picture of a history that cannot be to this file")
	seeds   = flag.Int("seeds", 0, "how many histories to record; 0 is a short run")
	oneSeed = flag.Uint64("seed", 0, "record the history of this seed only")
)

// client sends calls until stop; access gives it the instance to use.
type client struct {
	n         int
	principal org.Principal
	draw      *rand.Rand
	h         *history
	access    func() *tenant.Documents
	next      *atomic.Int64
	// seen is the last document read of each id, with its value.
	seen map[string]seenDocument
	ids  int
	pace time.Duration // the longest pause between two calls
}

type seenDocument struct{ value, revision string }

func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		what := call{verb: verb(c.draw.IntN(int(verbs))), id: fmt.Sprint("hot", c.draw.IntN(c.ids)),
			value: fmt.Sprintf("%d-%d", c.n, c.next.Add(1))}
		if what.verb == swap {
			seen, ok := c.seen[what.id]
			if !ok {
				what.verb = get
			}
			what.was = seen.value
		}
		from := c.h.now()
		r := c.do(what)
		c.h.add(c.n, what, from, r)
		wait := time.Duration(c.draw.Int64N(int64(c.pace) + 1))
		if r.kind == org.OutcomeUnknown { // a dead instance says that of everything
			wait += 20 * time.Millisecond
		}
		time.Sleep(wait)
	}
}

// do sends a call, with its own context: the outcome of a call that is cut off is unknown.
func (c *client) do(what call) (r reply) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	docs, id := c.access(), docdb.StringID(what.id)
	body, err := bson.Marshal(bson.D{{Key: "_id", Value: what.id}, {Key: "v", Value: what.value}})
	if err != nil {
		panic(err)
	}
	var doc tenant.Document
	switch what.verb {
	case get:
		if c.draw.IntN(2) == 0 {
			docs = docs.As(c.principal)
		}
		doc, err = docs.Get(ctx, id)
		if err == nil {
			r.value = doc.Body.Lookup("v").StringValue()
			c.seen[what.id] = seenDocument{r.value, doc.Revision}
		}
	case insert:
		_, err = docs.Insert(ctx, body)
	case put:
		_, r.made, err = docs.Put(ctx, tenant.Condition{}, body)
	case swap:
		_, _, err = docs.Put(ctx, tenant.Condition{Revisions: []string{c.seen[what.id].revision}}, body)
	case del:
		err = docs.Delete(ctx, id, tenant.Condition{})
	}
	if err != nil {
		r.kind = org.OutcomeUnknown // what died or is no known answer
		for _, k := range []org.Kind{org.DocumentExists, org.PreconditionFailed, org.NotFound, org.Unavailable, org.TokenRevoked} {
			if errors.Is(err, k) {
				r.kind = k
			}
		}
	}
	return r
}

// bystanders is the number of documents that no client changes; every list has them all.
const bystanders = 40

func bystander(i int) bson.D {
	return bson.D{{Key: "_id", Value: fmt.Sprintf("by%03d", i)}, {Key: "v", Value: i}}
}

// lists pages through all documents until ctx ends, and fails if a list misses a bystander.
func lists(ctx context.Context, access func() *tenant.Documents) error {
	for ctx.Err() == nil {
		found := 0
		var after *docdb.Position
		for {
			page, _, err := access().List(context.Background(), docdb.Query{After: after, Limit: 7})
			if err != nil {
				found = bystanders // the instance died
				break
			}
			for _, d := range page {
				if id, _ := d.ID().StringValueOK(); id[:2] == "by" {
					found++
				}
			}
			if len(page) == 0 {
				break
			}
			after = &docdb.Position{ID: page[len(page)-1].ID()}
		}
		if found != bystanders {
			return fmt.Errorf("a list had %d of %d documents that were there all the time", found, bystanders)
		}
	}
	return nil
}

// A trial is one organization with clients, moves, and what goes wrong.
type trial struct {
	t      *testing.T
	seed   uint64
	engine docdb.Engine
	moves  int
	// skip is the part of the protocol that is left out.
	skip string
	slow bool
	few  bool // clients
	// late: messages may be.
	late  bool
	begun atomic.Bool
	// rests has instances rest whenever they may; nobody dies, and the outcome of every call is known.
	rests   bool
	unknown int
	// ids is how many documents clients write, and pace how long they rest at most:
	// the checker's work grows fast with the calls on one document.
	ids  int
	pace time.Duration
}

// seedsFor returns the seeds of a test: n of them, or as many as the flags say.
func seedsFor(t *testing.T, n int) []uint64 {
	if *oneSeed != 0 {
		return []uint64{*oneSeed}
	}
	if *seeds != 0 {
		n = *seeds
	}
	first := rand.Uint64()
	t.Logf("seeds from %d; one of them alone: -seed N", first)
	all := make([]uint64, n)
	for i := range all {
		all[i] = first + uint64(i)
	}
	return all
}

// begin creates the organization with its bystanders.
func (tr *trial) begin(s *tenant.Store) (org.Organization, org.Principal) {
	tr.t.Helper()
	o, err := s.Create(tr.t.Context(), tenant.CreateInput{Name: "Acme", Email: "acme@x.example", Password: password})
	if err != nil {
		tr.t.Fatal(err)
	}
	docs := s.Documents(o.ID)
	for i := range bystanders {
		raw, err := bson.Marshal(bystander(i))
		if err != nil {
			tr.t.Fatal(err)
		}
		if _, err := docs.Insert(tr.t.Context(), raw); err != nil {
			tr.t.Fatal(err)
		}
	}
	p, err := s.Login(tr.t.Context(), "acme@x.example", password)
	if err != nil {
		tr.t.Fatal(err)
	}
	return o, p
}

// clientsDuring runs clients on the data while f runs. It reports whether their history is possible.
func (tr *trial) clientsDuring(p org.Principal, f func(), access func(n int) *tenant.Documents) bool {
	ctx, stop := context.WithCancel(tr.t.Context())
	h := &history{began: time.Now()}
	var (
		all    sync.WaitGroup
		next   atomic.Int64
		missed error
	)
	n := 8
	if tr.slow || tr.few {
		n = 4
	}
	for i := range n {
		c := &client{n: i, principal: p, draw: rand.New(rand.NewPCG(tr.seed, uint64(i))), h: h, next: &next,
			access: func() *tenant.Documents { return access(i) }, seen: map[string]seenDocument{},
			ids: max(tr.ids, 3), pace: tr.pace}
		all.Go(func() { c.run(ctx) })
	}
	all.Go(func() { missed = lists(ctx, func() *tenant.Documents { return access(0) }) })
	f()
	stop()
	all.Wait()
	if missed != nil {
		tr.t.Log(missed)
	}
	tr.unknown = h.unknown
	return h.check(tr.t) && missed == nil
}
