package document

import (
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// MergePatch applies a JSON Merge Patch (RFC 7396) to a document. What is there
// keeps its place, what is new comes last. A value of a type that JSON does not
// have counts as one value. However deep the two are, each is gone through once, and
// the result is written in one place, where both have room.
func MergePatch(target, patch bson.Raw) bson.Raw {
	return appendMerged(make([]byte, 0, len(target)+len(patch)), target, patch, docdb.MaxDepth)
}

// appendMerged appends the result; depth is how many levels, itself included, are
// still allowed. Of a name that the target has twice, which no orgd has written, the
// change takes the place of all.
func appendMerged(dst []byte, target, patch bson.Raw, depth int) bson.Raw {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
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
	return finishDocument(dst, start)
}

// appendChange appends what becomes of one field. What is deeper than any document may
// be is left as it is, for the storage to refuse.
func appendChange(dst, name []byte, old, change bson.RawValue, depth int) []byte {
	switch {
	case change.Type == bson.TypeNull:
		return dst
	case change.Type != bson.TypeEmbeddedDocument || depth == 1:
		return appendField(dst, name, change)
	}
	target := bson.Raw(nil)
	if old.Type == bson.TypeEmbeddedDocument {
		target = old.Value
	}
	return appendMerged(appendName(dst, change.Type, name), target, change.Value, depth-1)
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

// A Projection is what of a document is asked for, by name; nil is all of it.
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

// Apply returns what of a document is asked for, as MongoDB has it: a path leads
// through all documents of an array, and what is no document has no paths. It is
// appended to dst, with no more memory than that takes; of all of it nothing is, it is
// the document itself.
func (p Projection) Apply(dst []byte, doc bson.Raw) bson.Raw {
	if p == nil {
		return doc
	}
	start := len(dst)
	return p.appendFields(dst, doc, false, docdb.MaxDepth)[start:]
}

// appendFields appends what of the fields of a document or array is asked for; depth is
// how many levels, itself included, are still allowed. Nothing is found deeper than any
// document may be.
func (p Projection) appendFields(dst []byte, fields bson.Raw, array bool, depth int) bson.Raw {
	start, kept := len(dst), 0
	dst = append(dst, 0, 0, 0, 0)
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
			dst = appendField(withRoom(dst, len(name)+len(v.Value)+2), name, v)
		case (v.Type == bson.TypeEmbeddedDocument || v.Type == bson.TypeArray) && depth > 1:
			dst = inner.appendFields(appendName(dst, v.Type, name), v.Value, v.Type == bson.TypeArray, depth-1)
		default:
			continue
		}
		kept++
	}
	return finishDocument(dst, start)
}

// withRoom makes room for n bytes, in longer steps than append takes.
func withRoom(dst []byte, n int) []byte {
	if cap(dst)-len(dst) < n {
		dst = slices.Grow(dst, max(n, len(dst)))
	}
	return dst
}
