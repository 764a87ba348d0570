package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// What documents over HTTP have to reach.
const (
	documentTarget      = 0.50    // of a bare Echo on a bare Pebble
	documentMongoTarget = 0.80    // of a loop with the bare driver
	exportTarget        = 100_000 // documents a second
	importTarget        = 20_000
	pageTarget          = 3.0 // times the p99 at 10,000 documents
)

const (
	documentClients = 32
	// documentsThere is how many documents there are when gets and inserts begin: more
	// than the engine's cache holds.
	documentsThere = 100_000
	mongoThere     = 20_000
)

// documents measures the documents of organizations over HTTP.
func (s *suite) documents(ctx context.Context) error {
	for _, do := range []func(context.Context) error{s.documentsEmbedded, s.transfers, s.pages} {
		if err := do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tenantOf is an organization on an orgd, with a token of its admin's.
type tenantOf struct {
	orgd  *server
	token string
}

// startTenant starts an orgd, with an organization in it.
func (s *suite) startTenant(ctx context.Context, dir string, settings ...string) (tenantOf, error) {
	orgd, err := s.startOrgd(ctx, dir, append([]string{"BCRYPT_COST=4"}, settings...)...)
	if err != nil {
		return tenantOf{}, err
	}
	t, err := enroll(orgd)
	if err != nil {
		_ = orgd.stop()
	}
	return t, err
}

// enroll creates an organization and logs in.
func enroll(orgd *server) (tenantOf, error) { return enrollAs(orgd, 0) }

// enrollAs is enroll for organization number n.
func enrollAs(orgd *server, n int) (tenantOf, error) {
	if _, err := orgd.once(create(n), 201); err != nil {
		return tenantOf{}, err
	}
	body, err := orgd.once(login(n), 200)
	if err != nil {
		return tenantOf{}, err
	}
	var token struct {
		Token string `json:"access_token"`
	}
	err = json.Unmarshal(body, &token)
	return tenantOf{orgd, token.Token}, err
}

// index creates one on a path.
func (t tenantOf) index(path string, unique bool) error {
	body := fmt.Appendf(nil, `{"name":"by_%s","keys":[{"path":%q}],"unique":%v}`, path, path, unique)
	_, err := t.orgd.once(newRequestAs(t.token, "POST", "/org/indexes", body), 201)
	return err
}

// The documents of gets and inserts are of one size: numbers have as many digits.
func documentID(n int) string { return fmt.Sprintf("document-%08d", n) }

const (
	documentText  = 240
	numbersFrom   = 10_000_000
	documentEmail = "user-%08d@bench.example"
)

func documentNoise(n, length int) string {
	at := n * 7_919 % (len(noise()) - length)
	return noise()[at : at+length]
}

// appendDocument appends document number n in JSON.
func appendDocument(dst []byte, n int) []byte {
	return fmt.Appendf(dst, `{"_id":"%s","email":"`+documentEmail+`","n":%d,"text":"%s"}`,
		documentID(n), n, numbersFrom+n, documentNoise(n, documentText))
}

// storedDocument is the same as orgd stores it.
func storedDocument(n int) bson.Raw {
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: documentID(n)}, {Key: "_rev", Value: bson.NewObjectID()},
		{Key: "email", Value: fmt.Sprintf(documentEmail, n)}, {Key: "n", Value: int32(numbersFrom + n)},
		{Key: "text", Value: documentNoise(n, documentText)}})
	if err != nil {
		panic(err) // these values can be marshaled
	}
	return raw
}

// fillDocuments imports documents 0 up to count into an organization with one unique index.
func (t tenantOf) fillDocuments(ctx context.Context, count int) error {
	if err := t.index("email", true); err != nil {
		return err
	}
	_, err := t.load(ctx, count, func(dst []byte, n int) []byte { return append(appendDocument(dst, n), '\n') })
	return err
}

// documentLoads are gets of documents that are there, and inserts of new ones.
type documentLoads struct {
	token string
	gets  []request
	next  atomic.Int64 // number of the next new document
}

func newDocumentLoads(token string, there int) *documentLoads {
	l := &documentLoads{token: token}
	const some = 10_000 // that is in nearly every block
	for i := range min(some, there) {
		l.gets = append(l.gets, newRequestAs(token, "GET", "/org/documents/"+documentID(i*7_919%there), nil))
	}
	l.next.Store(int64(there))
	return l
}

func (l *documentLoads) get(c client, n int) error {
	_, err := c.do(l.gets[n%len(l.gets)], 200)
	return err
}

func (l *documentLoads) insert(c client, _ int) error {
	n := int(l.next.Add(1) - 1)
	_, err := c.do(newRequestAs(l.token, "POST", "/org/documents", appendDocument(make([]byte, 0, 512), n)), 201)
	return err
}

// documentOperations are what is compared.
var documentOperations = []struct {
	name string
	do   func(*documentLoads) func(client, int) error
}{
	{"`GET /org/documents/{id}`", func(l *documentLoads) func(client, int) error { return l.get }},
	{"`POST /org/documents`", func(l *documentLoads) func(client, int) error { return l.insert }},
}

func (s *suite) documentsEmbedded(ctx context.Context) error {
	there := documentsThere
	if s.quick {
		there = 2_000
	}
	t, err := s.startTenant(ctx, "documents")
	if err != nil {
		return err
	}
	defer t.orgd.stop()
	if err := t.fillDocuments(ctx, there); err != nil {
		return err
	}
	ours := newDocumentLoads(t.token, there)
	body, err := t.orgd.once(ours.gets[0], 200)
	if err != nil {
		return err
	}
	program, err := s.withoutCgo(ctx)
	if err != nil {
		return err
	}
	stored := len(storedDocument(0))
	bare, err := s.startHelperOf(ctx, program, "bare-documents", filepath.Join(s.dir, "bare-documents"),
		strconv.Itoa(there), strconv.Itoa(stored), string(body))
	if err != nil {
		return err
	}
	defer bare.stop()
	theirs := newDocumentLoads(t.token, there)
	for _, op := range documentOperations {
		for _, ordinary := range []bool{false, true} {
			run := func(v *server, l *documentLoads) func() (sample, error) {
				return func() (sample, error) {
					return load{clients: documentClients, lasts: s.window, ordinary: ordinary, do: op.do(l)}.run(ctx, v)
				}
			}
			a, b, err := s.alternate(run(t.orgd, ours), run(bare, theirs))
			if err != nil {
				return err
			}
			kind := "that cost next to nothing"
			if ordinary {
				kind = "of net/http"
			}
			ratio := medianRatio(a, b, rate)
			s.add(row{
				what: fmt.Sprintf("%s of %d bytes, %d clients %s, embedded engine; yardstick: bare Echo on bare Pebble, same bytes",
					op.name, stored, documentClients, kind),
				orgd: shown(medianSample(a)), yardstick: shown(medianSample(b)), ratio: percent(ratio),
				target: "≥ " + percent(documentTarget), reached: verdictOf(ratio >= documentTarget),
			})
		}
	}
	s.note(fmt.Sprintf("Documents: %s are there at the beginning, in an organization with one unique index. The bare Echo on bare Pebble, a process of its own "+
		"without cgo and collecting garbage as orgd does, has the engine's options; a GET reads a value of the same size, a POST reads the body "+
		"and commits two keys with a sync; both answer with the body that orgd answers with.", thousands(float64(there))))
	return nil
}
