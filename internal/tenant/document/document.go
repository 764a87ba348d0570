// Package document is one document of an organization: as it is stored, with orgd's hidden
// field, and as its clients see it.
package document

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/meter"
	"github.com/orgd/orgd/internal/docdb/wire"
	"github.com/orgd/orgd/internal/org"
)

// Document is one document of an organization.
type Document struct {
	// Revision is another one after every write: 24 hexadecimal digits, or
	// NoRevision of a document that was not written through orgd.
	Revision string
	// Body is the document as it was written, _id first.
	Body bson.Raw

	rev bson.RawValue // as it is stored; of type 0 if it is not there
}

// ID returns the document's _id.
func (d Document) ID() bson.RawValue { return docdb.ID(d.Body) }

// NoRevision is the revision of documents that orgd has not written.
const NoRevision = "0"

// RevisionField is the hidden field of a stored document that holds the id of its last
// write, an ObjectID. Nobody has made that id twice, so it serves compare-and-swap,
// and a writer that is in doubt whether its write was done finds the id there.
const RevisionField = "_rev"

// Stored returns the document as it is stored: the hidden field comes after the
// _id.
func Stored(id bson.RawValue, body bson.Raw, rev bson.ObjectID) bson.Raw {
	doc := make([]byte, 4, len(body)+len(id.Value)+len("_id")+len(RevisionField)+len(rev)+10)
	doc = appendField(doc, []byte("_id"), id)
	doc = appendField(doc, []byte(RevisionField), bson.RawValue{Type: bson.TypeObjectID, Value: rev[:]})
	return finishDocument(appendOthers(doc, body, "_id"), 0)
}

// AsStored is Stored, and what a client sees of that. It shares the body's memory.
func AsStored(id bson.RawValue, body bson.Raw, rev bson.ObjectID) (bson.Raw, Document) {
	raw := Stored(id, body, rev)
	if !docdb.ID(body).Equal(id) {
		return raw, FromStored(raw)
	}
	d := Document{Body: body}
	d.Revision, d.rev = RevisionOf(raw)
	return raw, d
}

// FromStored returns what a client sees of a stored document.
func FromStored(doc bson.Raw) (d Document) {
	d.Revision, d.rev = RevisionOf(doc)
	d.Body = BodyOf(doc)
	return d
}

// BodyOf returns the body of a stored document, for less than FromStored does.
func BodyOf(doc bson.Raw) bson.Raw {
	return finishDocument(appendOthers(make([]byte, 4, len(doc)), doc, RevisionField), 0)
}

// FromStoredInTurn is FromStored for a document that may be large.
func FromStoredInTurn(ctx context.Context, doc bson.Raw) (Document, error) {
	if len(doc) < meter.LongBytes {
		return FromStored(doc), nil
	}
	turn, err := meter.TurnFor(ctx, len(doc))
	if err != nil {
		return Document{}, err
	}
	defer turn.Done()
	return FromStored(doc), nil
}

// RevisionOf returns a stored document's revision, and as it is stored, in memory of
// its own: not the whole document's.
func RevisionOf(doc bson.Raw) (revision string, rev bson.RawValue) {
	for elements := wire.Elements(doc); ; {
		name, value, rest := wire.Split(elements)
		if name == nil {
			return NoRevision, rev
		}
		if string(name) == RevisionField {
			rev.Type, rev.Value = bson.Type(elements[0]), bytes.Clone(value)
			break
		}
		elements = rest
	}
	if id, ok := rev.ObjectIDOK(); ok {
		return id.Hex(), rev
	}
	return NoRevision, rev
}

// appendName appends the type and the name of a field.
func appendName(dst []byte, kind bson.Type, name []byte) []byte {
	return append(append(append(dst, byte(kind)), name...), 0)
}

func appendField(dst, name []byte, v bson.RawValue) []byte {
	return append(appendName(dst, v.Type, name), v.Value...)
}

// appendOthers appends a document's fields, save those of a name.
func appendOthers(dst []byte, doc bson.Raw, but string) []byte {
	elements := wire.Elements(doc)
	for kept := elements; ; {
		name, _, rest := wire.Split(elements)
		if name == nil || string(name) == but {
			dst = append(dst, kept[:len(kept)-len(elements)]...)
			kept = rest
		}
		if name == nil {
			return dst
		}
		elements = rest
	}
}

// finishDocument ends the document that begins at start with room for its length.
func finishDocument(dst []byte, start int) bson.Raw {
	dst = append(dst, 0)
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

// Unchanged is the condition that the stored document is still the one read.
func (d Document) Unchanged() docdb.Filter {
	switch d.rev.Type {
	case 0:
		return docdb.Eq(RevisionField, nil)
	case bson.TypeObjectID, bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeString:
		return docdb.Eq(RevisionField, d.rev)
	}
	return docdb.Filter{} // what no orgd has written
}

// Given is what was decided of a document before the first attempt to add it.
type Given struct {
	// ID is the _id of a document that does not bring its own, and Revision that of either.
	ID, Revision bson.ObjectID
	// Repeated says that an earlier attempt may have added it, and Answered that one has.
	Repeated, Answered bool
}

// Condition is what a write asks of the document that it finds. The zero
// Condition asks nothing.
type Condition struct {
	// Absent asks that there is none.
	Absent bool
	// Present asks that there is one.
	Present bool
	// Revisions, if not nil, asks for a document of one of them.
	Revisions []string
}

// Check is nil if what there is, nil for nothing, is what the condition asks for.
func (c Condition) Check(old *Document) error {
	ok := true
	switch {
	case old != nil:
		ok = !c.Absent
		if ok && c.Revisions != nil {
			ok = false
			for _, rev := range c.Revisions {
				ok = ok || rev == old.Revision
			}
		}
	default:
		ok = !c.Present && c.Revisions == nil
	}
	if ok {
		return nil
	}
	return org.Errorf(org.PreconditionFailed, "The document is not what the request's condition asks for: somebody has changed it. Read it again.")
}

// WrittenBefore reports whether a stored document was written by orgd before that time.
func WrittenBefore(doc bson.Raw, at time.Time) bool {
	rev, ok := doc.Lookup(RevisionField).ObjectIDOK()
	return ok && rev.Timestamp().Before(at)
}

// ShortID is a document's _id, which may have megabytes, for a message.
func ShortID(doc bson.Raw) string {
	const most = 200
	text := docdb.ID(doc).String()
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
