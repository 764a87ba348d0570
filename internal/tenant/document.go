package tenant

import (
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
func stored(id bson.RawValue, body bson.Raw, rev bson.ObjectID) (bson.Raw, error) {
	out := bson.D{{Key: "_id", Value: id}, {Key: revField, Value: rev}}
	head, err := bson.Marshal(out)
	if err != nil {
		return nil, err
	}
	doc := make([]byte, 0, len(head)+len(body))
	doc = append(doc, head[:len(head)-1]...)
	for name, v := range docdb.Fields(body) {
		if string(name) != "_id" {
			doc = appendField(doc, name, v)
		}
	}
	return finishDocument(doc), nil
}

// unstored returns what a client sees of a stored document.
func unstored(doc bson.Raw) Document {
	d := Document{Revision: NoRevision}
	out := make([]byte, 4, len(doc))
	for name, v := range docdb.Fields(doc) {
		if string(name) != revField {
			out = appendField(out, name, v)
			continue
		}
		d.rev = v
		if id, ok := v.ObjectIDOK(); ok {
			d.Revision = id.Hex()
		}
	}
	d.Body = finishDocument(out)
	return d
}

func appendField(dst, name []byte, v bson.RawValue) []byte {
	dst = append(dst, byte(v.Type))
	dst = append(append(dst, name...), 0)
	return append(dst, v.Value...)
}

// finishDocument ends a document that has room for its length at the beginning.
func finishDocument(dst []byte) bson.Raw {
	dst = append(dst, 0)
	n := len(dst)
	dst[0], dst[1], dst[2], dst[3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
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
