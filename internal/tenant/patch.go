package tenant

import (
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// MergePatch applies a JSON Merge Patch (RFC 7396) to a document. What is there
// keeps its place, what is new comes last. A value of a type that JSON does not
// have counts as one value.
func MergePatch(target, patch bson.Raw) bson.Raw {
	changes := map[string]bson.RawValue{}
	for name, v := range docdb.Fields(patch) {
		changes[string(name)] = v
	}
	out, done := make([]byte, 4, len(target)+len(patch)), map[string]bool{}
	put := func(name []byte, old, change bson.RawValue) {
		done[string(name)] = true
		switch change.Type {
		case bson.TypeNull:
		case bson.TypeEmbeddedDocument:
			inner := bson.Raw(nil)
			if old.Type == bson.TypeEmbeddedDocument {
				inner = old.Value
			}
			merged := MergePatch(inner, change.Value)
			out = appendField(out, name, bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: merged})
		default:
			out = appendField(out, name, change)
		}
	}
	for name, v := range docdb.Fields(target) {
		if change, ok := changes[string(name)]; ok {
			put(name, v, change)
		} else {
			out = appendField(out, name, v)
		}
	}
	for name, change := range docdb.Fields(patch) {
		if !done[string(name)] {
			put(name, bson.RawValue{}, change)
		}
	}
	return finishDocument(out)
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
// through all documents of an array, and what is no document has no paths.
func (p Projection) Apply(doc bson.Raw) bson.Raw {
	if p == nil {
		return doc
	}
	out := make([]byte, 4, len(doc))
	for name, v := range docdb.Fields(doc) {
		inner, asked := p[string(name)]
		if !asked {
			continue
		}
		if v, ok := inner.of(v); ok {
			out = appendField(out, name, v)
		}
	}
	return finishDocument(out)
}

func (p Projection) of(v bson.RawValue) (bson.RawValue, bool) {
	switch {
	case p == nil:
		return v, true
	case v.Type == bson.TypeEmbeddedDocument:
		return bson.RawValue{Type: v.Type, Value: p.Apply(v.Value)}, true
	case v.Type != bson.TypeArray:
		return v, false
	}
	var kept []bson.RawValue
	for _, element := range docdb.Fields(v.Value) {
		if element, ok := p.of(element); ok {
			kept = append(kept, element)
		}
	}
	return bson.RawValue{Type: v.Type, Value: array(kept)}, true
}

// array makes an array of values.
func array(values []bson.RawValue) bson.Raw {
	out := make([]byte, 4)
	for i, v := range values {
		out = appendField(out, arrayName(i), v)
	}
	return finishDocument(out)
}

// arrayName is what the i-th element of an array is called.
func arrayName(i int) []byte { return strconv.AppendInt(nil, int64(i), 10) }
