// Package standin knows the faults of secantusdb 0.7.0b3, the server that tests use where there is
// no MongoDB, and by them adapts the suite of docdbtest to it.
package standin

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
	"github.com/orgd/orgd/internal/docdb/indexkey"
)

// Lacks is Options.Lacks for the stand-in. It stores documents as Python objects, so that
// undefined, symbols and DBPointers come back as null, strings and documents {$ref, $id}, of
// which the last fail in an index. Its keys and its order ignore the scope of code and the
// subtype of binaries, and treat as equal some decimals and doubles, and some very large or very
// small numbers, that are not. Of fields of one name in a document, or in a filter, it keeps the
// last. An index of a path into an array leaves out elements that are not documents.
func Lacks(v bson.RawValue) bool {
	switch v.Type {
	case bson.TypeUndefined, bson.TypeSymbol, bson.TypeDBPointer, bson.TypeCodeWithScope:
		return true
	case bson.TypeEmbeddedDocument:
		elements, _ := v.Document().Elements()
		names := map[string]bool{}
		for _, e := range elements {
			names[e.Key()] = true
		}
		return len(names) < len(elements)
	case bson.TypeArray:
		values, _ := v.Array().Values()
		documents := 0
		for _, v := range values {
			if v.Type == bson.TypeEmbeddedDocument {
				documents++
			}
		}
		return documents > 0 && documents < len(values)
	case bson.TypeBinary:
		subtype, _ := v.Binary()
		return subtype != 0
	case bson.TypeDouble:
		f := math.Abs(v.Double())
		return f > 1<<53 && !math.IsInf(f, 0) || f > 0 && f < 1e-300
	case bson.TypeDecimal128:
		f, err := strconv.ParseFloat(v.Decimal128().String(), 64)
		return err != nil || !math.IsNaN(f) && !math.IsInf(f, 0) && (f != math.Round(f*2)/2 || math.Abs(f) > 1<<53)
	}
	return false
}

// Avoid is Options.Avoid for the stand-in: the steps of the differential test that meet its faults.
func Avoid(step suite.Step) bool {
	// A range with two sides on an indexed array misses documents, and so does a path with a
	// position in an array where the array has no such element.
	if twoSidedRange(step.Filter) || hasArrayIndex(step.Filter) {
		return true
	}
	// A comparison misses strings that begin with the operand in a descending index.
	if bytes.Contains(step.Filter, []byte("$gt")) || bytes.Contains(step.Filter, []byte("$lt")) {
		for _, ix := range step.Indexes {
			if slices.ContainsFunc(ix.Keys, func(key docdb.Key) bool { return key.Desc }) {
				return true
			}
		}
	}
	if step.Index != nil {
		return slices.ContainsFunc(step.Stored, func(doc bson.Raw) bool { return misindexed(doc, *step.Index) })
	}
	return step.Document != nil && slices.ContainsFunc(step.Indexes, func(ix docdb.Index) bool {
		return misindexed(step.Document, ix)
	})
}

// hasArrayIndex reports whether a path of a filter may name a position in an array.
func hasArrayIndex(filter bson.Raw) bool {
	elements, _ := filter.Elements()
	return slices.ContainsFunc(elements, func(e bson.RawElement) bool {
		if !strings.HasPrefix(e.Key(), "$") {
			return strings.ContainsAny(e.Key(), "01")
		}
		list, _ := e.Value().Array().Values()
		return slices.ContainsFunc(list, func(v bson.RawValue) bool {
			kid, _ := v.DocumentOK()
			return hasArrayIndex(kid)
		})
	})
}

// misindexed reports whether the stand-in indexes a document otherwise than MongoDB: it admits
// arrays at two paths, pairs elements of one array that do not belong together, leaves out
// elements that are not documents, differs on paths with a position in an array, and has one key
// for an empty array and an array that holds an empty array.
func misindexed(doc bson.Raw, ix docdb.Index) bool {
	rows, err := indexkey.All(doc, ix.Keys)
	if err != nil || len(rows) > 1 && len(ix.Keys) > 1 {
		return true
	}
	for _, row := range rows {
		if ix.Unique && slices.ContainsFunc(row, func(v bson.RawValue) bool {
			return v.Type == bson.TypeUndefined || v.Type == bson.TypeArray
		}) {
			return true
		}
	}
	return slices.ContainsFunc(ix.Keys, func(key docdb.Key) bool {
		first, rest, dotted := strings.Cut(key.Path, ".")
		return strings.ContainsAny(key.Path, "01") || dotted && scalarsOn(doc.Lookup(first), rest)
	})
}

// scalarsOn reports whether a path meets an empty array, or an array of anything but documents.
func scalarsOn(v bson.RawValue, path string) bool {
	first, rest, dotted := strings.Cut(path, ".")
	if doc, ok := v.DocumentOK(); ok {
		return dotted && scalarsOn(doc.Lookup(first), rest)
	}
	list, ok := v.ArrayOK()
	if !ok {
		return false
	}
	elements, _ := list.Values()
	return len(elements) == 0 || slices.ContainsFunc(elements, func(v bson.RawValue) bool {
		return v.Type != bson.TypeEmbeddedDocument || scalarsOn(v, path)
	})
}

// Takes reports whether the stand-in does a step as MongoDB does.
func Takes(step suite.Step) bool {
	for _, raw := range []bson.Raw{step.Document, step.Filter} {
		if raw != nil && bsontest.Contains(bsontest.Embedded(raw), Lacks) {
			return false
		}
	}
	return !Avoid(step)
}

// twoSidedRange reports whether a filter in MongoDB's form has a lower and an
// upper bound on one path, for Options.Avoid.
func twoSidedRange(filter bson.Raw) bool {
	bounds := map[string]int{}
	findBounds(filter, "", bounds)
	for _, sides := range bounds {
		if sides == 3 {
			return true
		}
	}
	return false
}

// findBounds collects, by path, 1 for a lower bound and 2 for an upper one.
func findBounds(doc bson.Raw, path string, bounds map[string]int) {
	elements, err := doc.Elements()
	if err != nil {
		return
	}
	for _, e := range elements {
		key, v := e.Key(), e.Value()
		switch key {
		case "$gt", "$gte":
			bounds[path] |= 1
		case "$lt", "$lte":
			bounds[path] |= 2
		case "$and", "$or":
			list, _ := v.Array().Values()
			for _, kid := range list {
				findBounds(kid.Document(), "", bounds)
			}
		default:
			at := path
			if key[0] != '$' {
				at = key
			}
			if kid, ok := v.DocumentOK(); ok {
				findBounds(kid, at, bounds)
			}
		}
	}
}
