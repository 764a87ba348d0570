package tenant

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
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

// revField is the hidden field of a stored document that holds the id of its last
// write, an ObjectID. Nobody has made that id twice, so it serves compare-and-swap,
// and whoever is in doubt whether a write was done finds its id there.
const revField = "_rev"

// stored returns the document as it is stored: the hidden field comes after the
// _id.
func stored(id bson.RawValue, body bson.Raw, rev bson.ObjectID) bson.Raw {
	doc := make([]byte, 4, len(body)+len(id.Value)+len("_id")+len(revField)+len(rev)+10)
	doc = appendField(doc, []byte("_id"), id)
	doc = appendField(doc, []byte(revField), bson.RawValue{Type: bson.TypeObjectID, Value: rev[:]})
	return finishDocument(appendOthers(doc, body, "_id"), 0)
}

// asStored is stored, and what a client sees of that. It shares the body's memory.
func asStored(id bson.RawValue, body bson.Raw, rev bson.ObjectID) (bson.Raw, Document) {
	raw := stored(id, body, rev)
	if !docdb.ID(body).Equal(id) {
		return raw, unstored(raw)
	}
	d := Document{Body: body}
	d.Revision, d.rev = revisionOf(raw)
	return raw, d
}

// unstored returns what a client sees of a stored document.
func unstored(doc bson.Raw) (d Document) {
	d.Revision, d.rev = revisionOf(doc)
	d.Body = finishDocument(appendOthers(make([]byte, 4, len(doc)), doc, revField), 0)
	return d
}

// unstoredInTurn is unstored for a document that may be large.
func unstoredInTurn(ctx context.Context, doc bson.Raw) (Document, error) {
	if len(doc) < docdb.LongBytes {
		return unstored(doc), nil
	}
	turn, err := docdb.TurnFor(ctx, len(doc))
	if err != nil {
		return Document{}, err
	}
	defer turn.Done()
	return unstored(doc), nil
}

// revisionOf returns a stored document's revision, and as it is stored, in memory of
// its own: not the whole document's.
func revisionOf(doc bson.Raw) (revision string, rev bson.RawValue) {
	for elements := docdb.Elements(doc); ; {
		name, value, rest := docdb.Split(elements)
		if name == nil {
			return NoRevision, rev
		}
		if string(name) == revField {
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
	elements := docdb.Elements(doc)
	for kept := elements; ; {
		name, _, rest := docdb.Split(elements)
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

// unchanged is the condition that the stored document is still the one read.
func (d Document) unchanged() docdb.Filter {
	switch d.rev.Type {
	case 0:
		return docdb.Eq(revField, nil)
	case bson.TypeObjectID, bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeString:
		return docdb.Eq(revField, d.rev)
	}
	return docdb.Filter{} // what no orgd has written
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

// check is nil if what there is, nil for nothing, is what the condition asks for.
func (c Condition) check(old *Document) error {
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

// refusedWrite turns an engine's refusal of a document into what a client may see.
func refusedWrite(err error) error {
	var dup *docdb.DuplicateError
	var refused *docdb.IndexKeyError
	switch {
	case errors.As(err, &refused):
		return &org.Error{Kind: org.Invalid, Err: err, Message: "The document cannot be stored: " + inIndex(refused)}
	case errors.As(err, &dup) && dup.Index == docdb.IDIndex:
		return org.Errorf(org.DocumentExists, "There is a document with this _id.")
	case errors.As(err, &dup):
		return org.Errorf(org.DuplicateKey, "Another document has the same key in the unique index %s.", dup.Index)
	case errors.Is(err, docdb.ErrTooLarge):
		return &org.Error{Kind: org.TooLarge, Message: "The document is larger than 16 MiB.", Err: err}
	case errors.Is(err, docdb.ErrInvalid):
		return &org.Error{Kind: org.Invalid, Message: "The document cannot be stored.", Err: err}
	}
	return err
}

// inIndex says why an index cannot hold a document.
func inIndex(e *docdb.IndexKeyError) string {
	return fmt.Sprintf("the index %s cannot hold it, because of the path %s: %s.", e.Index, e.Path, e.Problem)
}

func noDocument() *org.Error { return org.Errorf(org.NotFound, "There is no such document.") }
