// Package document is one document of an organization: as it is stored, with orgd's hidden
// field, and as its clients see it.
package document

import (
	"bytes"
	"context"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/bsonappend"
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/meter"
	"github.com/orgd/orgd/internal/docdb/wire"
	"github.com/orgd/orgd/internal/org"
)

// Document is one document of an organization.
type Document struct {
	// Revision changes with every write: 24 hexadecimal digits, or NoRevision if the document
	// was not written through orgd.
	Revision string
	// Body is the document as it was written, _id first.
	Body bson.Raw

	rev bson.RawValue // the revision as it is stored; of type 0 if there is none
}

// ID returns the document's _id.
func (d Document) ID() bson.RawValue { return docdb.ID(d.Body) }

// NoRevision is the revision of documents that orgd has not written.
const NoRevision = "0"

// RevisionField is the hidden field of a stored document with the id of its last write, an ObjectID.
// No id is made twice, so it serves compare-and-swap, and a writer that got no answer finds by it
// whether its write was done.
const RevisionField = "_rev"

// Stored returns the document as it is stored: the hidden field comes after the
// _id.
func Stored(id bson.RawValue, body bson.Raw, rev bson.ObjectID) bson.Raw {
	doc, at := bsonappend.Begin(make([]byte, 0, len(body)+len(id.Value)+len("_id")+len(RevisionField)+len(rev)+10))
	doc = bsonappend.Element(doc, "_id", id)
	doc = bsonappend.Element(doc, RevisionField, bson.RawValue{Type: bson.TypeObjectID, Value: rev[:]})
	return bsonappend.End(appendOthers(doc, body, "_id"), at)
}

// AsStored is Stored, and also returns the document as a client sees it, which shares the body's
// memory.
func AsStored(id bson.RawValue, body bson.Raw, rev bson.ObjectID) (bson.Raw, Document) {
	raw := Stored(id, body, rev)
	if !docdb.ID(body).Equal(id) {
		return raw, FromStored(raw)
	}
	d := Document{Body: body}
	d.Revision, d.rev = RevisionOf(raw)
	return raw, d
}

// FromStored returns a stored document as a client sees it.
func FromStored(doc bson.Raw) (d Document) {
	d.Revision, d.rev = RevisionOf(doc)
	d.Body = BodyOf(doc)
	return d
}

// BodyOf returns the body of a stored document. It is cheaper than FromStored.
func BodyOf(doc bson.Raw) bson.Raw {
	body, at := bsonappend.Begin(make([]byte, 0, len(doc)))
	return bsonappend.End(appendOthers(body, doc, RevisionField), at)
}

// FromStoredInTurn is FromStored for a document that may be large: it takes turns.
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

// RevisionOf returns a stored document's revision, as text and as it is stored, in its own memory, so
// that it does not keep the document's.
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

// appendOthers appends a document's fields but those of one name.
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

// Unchanged is the condition that the stored document is still the one read.
func (d Document) Unchanged() docdb.Filter {
	switch d.rev.Type {
	case 0:
		return docdb.Eq(RevisionField, nil)
	case bson.TypeObjectID, bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeString:
		return docdb.Eq(RevisionField, d.rev)
	}
	return docdb.Filter{} // not written by orgd
}

// Given is what was fixed for a document before the first attempt to add it.
type Given struct {
	// ID is for a document without an _id; Revision is for any document.
	ID, Revision bson.ObjectID
	// Repeated says that an earlier attempt may have added the document, Answered that it has.
	Repeated, Answered bool
}

// Condition is the condition of a write on the stored document. Every document meets the zero
// Condition.
type Condition struct {
	// Absent: there is no such document.
	Absent bool
	// Present: there is such a document.
	Present bool
	// Revisions, if not nil: the document has one of these revisions.
	Revisions []string
}

// Check refuses a write unless the stored document, nil if there is none, meets the condition.
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

// ShortID returns a document's _id for a message, shortened, since an _id may have megabytes.
func ShortID(doc bson.Raw) string {
	const most = 200
	text := docdb.ID(doc).String()
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
