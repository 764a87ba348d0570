package document

import (
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/bsonappend"
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// MergePatch applies a JSON Merge Patch (RFC 7396) to a document. Existing fields keep their place, new
// fields come last. A value of a type that JSON does not have counts as a single value. However deep
// the two are, each is read once, and the result is written once, with room for both.
func MergePatch(target, patch bson.Raw) bson.Raw {
	return appendMerged(make([]byte, 0, len(target)+len(patch)), target, patch, docdb.MaxDepth)
}

// appendMerged appends the result; depth is how many levels, itself included, are still allowed. If the
// target has a name twice, which orgd never writes, the change replaces all of them.
func appendMerged(dst []byte, target, patch bson.Raw, depth int) bson.Raw {
	dst, start := bsonappend.Begin(dst)
	changes := namesOf(patch)
	elements := wire.Elements(target)
	kept := elements // from the first field that is not yet copied
	for {
		name, old, rest, ok := wire.Next(elements)
		if !ok {
			break
		}
		if at, first := changes.Take(patch, name); at > 0 {
			dst = append(dst, kept[:len(kept)-len(elements)]...)
			if kept = rest; first {
				_, change, _, _ := wire.Next(patch[at-1:])
				dst = appendChange(dst, name, old, change, depth)
			}
		}
		elements = rest
	}
	dst = append(dst, kept[:len(kept)-len(elements)]...)
	for name, change := range wire.Fields(patch) {
		if _, first := changes.Take(patch, name); first {
			dst = appendChange(dst, name, bson.RawValue{}, change, depth)
		}
	}
	return bsonappend.End(dst, start)
}

// appendChange appends the result for one field. It copies a value that is deeper than any document may
// be, which the storage then refuses.
func appendChange(dst, name []byte, old, change bson.RawValue, depth int) []byte {
	switch {
	case change.Type == bson.TypeNull:
		return dst
	case change.Type != bson.TypeEmbeddedDocument || depth == 1:
		return bsonappend.Element(dst, name, change)
	}
	target := bson.Raw(nil)
	if old.Type == bson.TypeEmbeddedDocument {
		target = old.Value
	}
	return appendMerged(bsonappend.Header(dst, change.Type, name), target, change.Value, depth-1)
}

// namesOf finds the fields of a document.
func namesOf(doc bson.Raw) (names wire.Names) {
	elements := wire.Elements(doc)
	for at := 4; ; {
		name, _, rest, ok := wire.Next(elements)
		if !ok {
			return names
		}
		names.Add(doc, at+1, name)
		at += len(elements) - len(rest)
		elements = rest
	}
}

// A Projection selects fields of a document, by name; nil selects the whole document.
type Projection map[string]Projection

// NewProjection returns the projection to these paths, and to _id.
func NewProjection(paths []string) Projection {
	p := Projection{"_id": nil}
	for _, path := range paths {
		p.add(strings.Split(path, "."))
	}
	return p
}

func (p Projection) add(path []string) {
	name := path[0]
	inner, there := p[name]
	switch {
	case there && inner == nil: // all of it already
	case len(path) == 1:
		p[name] = nil
	default:
		if inner == nil {
			inner = Projection{}
			p[name] = inner
		}
		inner.add(path[1:])
	}
}

// Apply returns the selected fields of a document, as MongoDB does: a path leads through all documents
// of an array, and a value that is no document has no paths. It appends the result to dst, with no more
// memory than that takes; for the whole document it returns doc itself.
func (p Projection) Apply(dst []byte, doc bson.Raw) bson.Raw {
	if p == nil {
		return doc
	}
	start := len(dst)
	return p.appendFields(dst, doc, false, docdb.MaxDepth)[start:]
}

// appendFields appends the selected fields of a document or array; depth is how many levels, itself
// included, are still allowed. It selects nothing deeper than any document may be.
func (p Projection) appendFields(dst []byte, fields bson.Raw, array bool, depth int) bson.Raw {
	dst, start := bsonappend.Begin(dst)
	kept := 0
	var digits [20]byte
	for name, v := range wire.Fields(fields) {
		inner := p
		if array {
			name = strconv.AppendInt(digits[:0], int64(kept), 10)
		} else if asked, ok := p[string(name)]; ok {
			inner = asked
		} else {
			continue
		}
		switch {
		case inner == nil:
			dst = bsonappend.Element(withRoom(dst, len(name)+len(v.Value)+2), name, v)
		case (v.Type == bson.TypeEmbeddedDocument || v.Type == bson.TypeArray) && depth > 1:
			dst = inner.appendFields(bsonappend.Header(dst, v.Type, name), v.Value, v.Type == bson.TypeArray, depth-1)
		default:
			continue
		}
		kept++
	}
	return bsonappend.End(dst, start)
}

// withRoom makes room for n bytes, in longer steps than append takes.
func withRoom(dst []byte, n int) []byte {
	if cap(dst)-len(dst) < n {
		dst = slices.Grow(dst, max(n, len(dst)))
	}
	return dst
}
