package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/tenant"
)

// What a text takes beside itself while it is read, in bytes for each of its own: JSON as
// values of Go, of which an empty object of two bytes has the most; and a filter.
const (
	jsonRoom   = 24
	filterRoom = 24
	// extendedRoom is for the copies of Extended JSON that is set apart.
	extendedRoom = 4
)

// storeRoom is how often a document is there beside itself while it is stored: as it is
// stored, and in what the storage writes.
const storeRoom = 2

// patchRoom is what a merge patch takes beside itself and the document: what becomes of
// the two, and to store that.
func patchRoom(document, patch int) int {
	return document + patch + storeRoom*min(document+patch, tenant.MaxDocument)
}

// parseRoom is the most that reading a document takes beside its text: as many bytes; where
// that has room for less than the largest document, up to 14 bytes for each element ([1,1]),
// twice as it is copied when it grows; and what keeps names apart, 16 bytes for each.
func parseRoom(text []byte) int {
	names := bytes.Count(text, []byte(":"))
	elements := names + bytes.Count(text, []byte(",")) + bytes.Count(text, []byte("{")) + bytes.Count(text, []byte("["))
	room := len(text) + 16 + min(16*names, 2*len(text), 2*tenant.MaxDocument)
	if len(text) < tenant.MaxDocument {
		room += min(2*14*elements, 2*tenant.MaxDocument-len(text))
	}
	return room
}

// takeDocument makes a document of the body of a request, which it lets go of.
func takeDocument(ctx context.Context, body *json.RawMessage) (bson.Raw, error) {
	c := callFrom(ctx)
	if err := c.long(ctx, len(*body)); err != nil {
		return nil, err
	}
	defer c.turn.Done()
	doc, err := parseWithin(&c.memory, *body)
	c.memory.Give(cap(*body))
	*body, c.body, c.document = nil, nil, nil
	return doc, err
}

// slack is how many bytes beyond twice its length a document may have before it is copied.
const slack = 1 << 10

// parseWithin is readDocument for a caller that holds the memory of the document then.
func parseWithin(memory *memory.Hold, text []byte) (bson.Raw, error) {
	room := parseRoom(text)
	if err := memory.Take(room); err != nil {
		return nil, err
	}
	doc, err := readDocument(text)
	if cap(doc) > 2*len(doc)+slack { // as of a text with much space in it
		doc = append(make(bson.Raw, 0, len(doc)), doc...)
	}
	memory.Give(room - cap(doc))
	return doc, err
}

// A reading is what a request reads from the storage, which asks for the memory while it
// reads.
type reading struct {
	memory *memory.Hold
	mu     sync.Mutex
	bytes  int // taken so far
}

// reads returns a context to read under, once.
func (c *call) reads(ctx context.Context) (context.Context, *reading) {
	r := &reading{memory: &c.memory}
	return tenant.WithRoom(c.shares(ctx), r.take), r
}

// shares returns a context under which what takes long shares the processors.
func (c *call) shares(ctx context.Context) context.Context {
	return tenant.WithTurns(ctx, func() tenant.Turn { return c.work.Turn() })
}

// longWork is from how many bytes on what cannot rest waits for its turn before: a
// millisecond's work.
const longWork = 64 << 10

// long is called before so many bytes of documents are gone through, and turn.Done after.
func (c *call) long(ctx context.Context, bytes int) error {
	if bytes < longWork {
		return nil
	}
	return c.turn.Take(ctx)
}

func (r *reading) take(bytes int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.memory.Take(bytes)
	if err == nil {
		r.bytes += bytes
	}
	return err
}

// settle says how much of what was read is there in the end.
func (r *reading) settle(bytes int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if bytes > r.bytes {
		if err := r.memory.Take(bytes - r.bytes); err != nil {
			return err
		}
	} else {
		r.memory.Give(r.bytes - bytes)
	}
	r.bytes = bytes
	return nil
}
