package document

import (
	"bytes"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/bsonappend"
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
)

// The functions below are a merge patch, a projection and the hidden field in their simplest form, as
// the reference for the fast ones.

func naivePatch(target, patch bson.D) bson.D {
	for _, change := range patch {
		i := slices.IndexFunc(target, func(e bson.E) bool { return e.Key == change.Key })
		inner, nested := change.Value.(bson.D)
		switch {
		case change.Value == nil && i >= 0:
			target = slices.Delete(target, i, i+1)
		case change.Value == nil:
		case i < 0 && nested:
			target = append(target, bson.E{Key: change.Key, Value: naivePatch(bson.D{}, inner)})
		case i < 0:
			target = append(target, change)
		case nested:
			old, _ := target[i].Value.(bson.D)
			target[i].Value = naivePatch(slices.Clone(old), inner)
		default:
			target[i].Value = change.Value
		}
	}
	if target == nil {
		return bson.D{}
	}
	return target
}

func naiveProjection(p Projection, v any) (any, bool) {
	switch v := v.(type) {
	case bson.D:
		out := bson.D{}
		for _, e := range v {
			inner, asked := p[e.Key]
			if !asked {
				continue
			}
			if inner == nil {
				out = append(out, e)
			} else if value, ok := naiveProjection(inner, e.Value); ok {
				out = append(out, bson.E{Key: e.Key, Value: value})
			}
		}
		return out, true
	case bson.A:
		out := bson.A{}
		for _, element := range v {
			if value, ok := naiveProjection(p, element); ok {
				out = append(out, value)
			}
		}
		return out, true
	}
	return nil, false
}

// drawn draws a document, of few fields or of many.
func drawn(t *rapid.T, label string) bson.Raw {
	doc := bsontest.AnyDocument(bsontest.Value("x")).Draw(t, label)
	if rapid.Bool().Draw(t, "wide") {
		for i := range rapid.IntRange(1, 80).Draw(t, "fields") {
			name := strconv.Itoa(i * rapid.IntRange(1, 2).Draw(t, "step"))
			if doc.Lookup(name).Type == 0 {
				doc = bsontest.Raw(append(unmarshaled(t, doc), bson.E{Key: name, Value: bsontest.AnyValue(1).Draw(t, name)}))
			}
		}
	}
	return doc
}

func unmarshaled(t rapid.TB, raw bson.Raw) (d bson.D) {
	t.Helper()
	if err := bson.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestMergePatchIsTheNaiveOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target, patch := drawn(t, "target"), drawn(t, "patch")
		got, want := MergePatch(target, patch), bsontest.Raw(naivePatch(unmarshaled(t, target), unmarshaled(t, patch)))
		if !bytes.Equal(got, want) {
			t.Fatalf("%s patched with %s is %s, want %s", target, patch, got, want)
		}
	})
}

func TestAChangeTakesThePlaceOfAllOfItsName(t *testing.T) {
	twice := bsontest.Raw(bson.D{{Key: "a", Value: 1}, {Key: "b", Value: 2}, {Key: "a", Value: 3}})
	for change, want := range map[any]bson.D{4: {{Key: "a", Value: 4}, {Key: "b", Value: 2}}, nil: {{Key: "b", Value: 2}}} {
		if got := MergePatch(twice, bsontest.Raw(bson.D{{Key: "a", Value: change}})); !bytes.Equal(got, bsontest.Raw(want)) {
			t.Errorf("%v: got %s", change, got)
		}
	}
}

func TestProjectionIsTheNaiveOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := drawn(t, "document")
		p := NewProjection(rapid.SliceOfN(bsontest.AnyPath(), 1, 4).Draw(t, "paths"))
		value, _ := naiveProjection(p, unmarshaled(t, doc))
		got, want := p.Apply([]byte("something"), doc), bsontest.Raw(value.(bson.D))
		if !bytes.Equal(got, want) {
			t.Fatalf("%v of %s is %s, want %s", p, doc, got, want)
		}
	})
}

// TestStoredAndBack: the hidden field comes behind the _id, wherever that was, and a client reads the
// document that the answer to its write had.
func TestStoredAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := bson.E{Key: "_id", Value: bsontest.AnyScalar().Draw(t, "id")}
		rev := bson.E{Key: RevisionField, Value: bson.NewObjectID()}
		fields := unmarshaled(t, drawn(t, "document"))[1:]
		at := rapid.IntRange(0, len(fields)).Draw(t, "place of the _id")
		given := bsontest.Raw(slices.Concat(fields[:at], bson.D{id}, fields[at:]))
		raw, doc := AsStored(id.Value.(bson.RawValue), given, rev.Value.(bson.ObjectID))
		if want := bsontest.Raw(slices.Concat(bson.D{id, rev}, fields)); !bytes.Equal(raw, want) {
			t.Fatalf("%s is stored as %s, want %s", given, raw, want)
		}
		want := bsontest.Raw(slices.Concat(bson.D{id}, fields))
		for _, d := range []Document{doc, FromStored(raw)} {
			if !bytes.Equal(d.Body, want) || d.Revision != rev.Value.(bson.ObjectID).Hex() || !d.rev.Equal(raw.Lookup(RevisionField)) {
				t.Fatalf("%s is %s of %s, want %s", raw, d.Body, d.Revision, want)
			}
		}
		if got := WithID(given, bsontest.Value("another")); !bytes.Equal(got, want) {
			t.Fatalf("%s becomes %s, want %s", given, got, want)
		}
	})
}

// deep is a document in which {"a": {"a": … value}} has so many levels.
func deep(levels int, value any) bson.Raw {
	for range levels - 1 {
		value = bsontest.Raw(bson.D{{Key: "a", Value: value}})
	}
	return bsontest.Raw(bson.D{{Key: "_id", Value: "x"}, {Key: "a", Value: value}})
}

// wide is a document of so many fields, with names from first on.
func wide(first, fields int) bson.Raw {
	out, at := bsonappend.Begin(nil)
	out = bsonappend.Element(out, "_id", docdb.StringID("x"))
	for i := range fields {
		out = bsonappend.Element(out, strconv.AppendInt(nil, int64(first+i), 36), bson.RawValue{Type: bson.TypeBoolean, Value: []byte{1}})
	}
	return bsonappend.End(out, at)
}

// TestRewritingIsBounded: its cost grows with the size of the documents, and not with size times depth.
func TestRewritingIsBounded(t *testing.T) {
	text := strings.Repeat("x", 15<<20)
	deepest := deep(96, bsontest.Raw(bson.D{{Key: "s", Value: text}}))
	broad, others := wide(0, 1_200_000), wide(600_000, 1_200_000)
	elements := bsontest.Raw(bson.D{{Key: "_id", Value: "x"}, {Key: "a", Value: slices.Repeat(bson.A{bson.D{{Key: "b", Value: 1}}}, 400_000)}})
	path := strings.TrimSuffix(strings.Repeat("a.", 96), ".")
	for name, c := range map[string]struct {
		do   func()
		most int // bytes
	}{
		"a patch of a deep document":  {func() { MergePatch(deepest, deep(96, bson.D{{Key: "b", Value: 1}})) }, len(deepest)},
		"a patch of a broad document": {func() { MergePatch(broad, others) }, len(broad) + 5*len(others)},
		"a patch of deep nothing":     {func() { MergePatch(wide(0, 0), deep(96, bson.D{})) }, 0},
		"a deep path":                 {func() { NewProjection([]string{path + ".q"}).Apply(nil, deepest) }, 64 << 10},
		"a deep path to everything":   {func() { NewProjection([]string{path + ".s"}).Apply(nil, deepest) }, 2 * len(deepest)},
		"a path through an array":     {func() { NewProjection([]string{"a.b"}).Apply(nil, elements) }, 5 * len(elements)},
		"storing":                     {func() { Stored(docdb.ID(deepest), deepest, bson.NewObjectID()) }, len(deepest)},
		"storing and telling":         {func() { AsStored(docdb.ID(deepest), deepest, bson.NewObjectID()) }, len(deepest)},
		"reading":                     {func() { FromStored(deepest) }, len(deepest)},
		"an _id that is there":        {func() { WithID(deepest, docdb.StringID("y")) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if took := allocated(c.do); took > uint64(c.most+1<<20) {
				t.Errorf("it takes %d KB, more than %d", took>>10, c.most>>10)
			}
		})
	}
}

// allocated is how many bytes a function takes in all.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
