package extjson

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime/debug"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// TestTypesWithinTypes: nothing nests without being counted, or a request of a few
// megabytes ends the process: it cannot recover from a stack that is full.
func TestTypesWithinTypes(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(1 << 20))
	for _, nest := range []string{
		`{"$date":`, `{"$dbPointer":{"$id":`, `{"$dbPointer":{"$ref":"c","$id":`, `{"$code":"","$scope":`,
		`{"$code":"","$scope":{"a":`, `{"$date":{"a":`, `{"$dbPointer":{"$id":[`, `{"a":[{"$date":`,
		`{"$dbPointer":{"$id":{"$code":"","$scope":{"$date":`, `{"$undefined":`, `{"$oid":`, `[`, `{"$and":[`,
	} {
		text := []byte(`{"a":` + strings.Repeat(nest, 20<<20/len(nest)))
		for _, g := range []Grammar{Documents, Filters} {
			if _, err := Parse(text, g); !errors.As(err, new(*Error)) {
				t.Errorf("%s: %v", nest, err)
			}
		}
	}
}

// TestScopesAreLevels: the deepest document that docdb takes is the deepest that is read,
// whatever its levels are.
func TestScopesAreLevels(t *testing.T) {
	for levels, good := range map[int]bool{docdb.MaxDepth: true, docdb.MaxDepth + 1: false} {
		doc, err := Parse([]byte(`{"_id":1,"a":`+strings.Repeat(`{"$code":"f","$scope":{"a":`, levels-1)+`{"$date":{"$numberLong":"-1"}}`+strings.Repeat(`}}`, levels-1)+`}`), Documents)
		if (err == nil) != good {
			t.Fatalf("%d levels: %v", levels, err)
		}
		if err := docdb.Validate(doc); good && err != nil {
			t.Errorf("%d levels are read and not stored: %v", levels, err)
		}
		if back, err := Parse(Append(nil, doc), Documents); good && (err != nil || !bytes.Equal(back, doc)) {
			t.Errorf("%d levels do not read back: %v", levels, err)
		}
	}
}

// TestTypesHoldNoOthers: but for those that their form has.
func TestTypesHoldNoOthers(t *testing.T) {
	for text, want := range map[string]string{
		`{"$date":{"$date":{"$numberLong":"1"}}}`:                                         "a $date",
		`{"$date":{"$numberInt":"1"}}`:                                                    "a $date",
		`{"$date":{}}`:                                                                    "a $date",
		`{"$date":{"$numberLong":"1","b":1}}`:                                             "no value of $numberLong",
		`{"$dbPointer":{"$ref":"c","$id":{"$dbPointer":{}}}}`:                             "a $dbPointer",
		`{"$dbPointer":{"$ref":"c","$id":"0123456789abcdef01234567"}}`:                    "a $dbPointer",
		`{"$dbPointer":{"$ref":"c","$id":[]}}`:                                            "a $dbPointer",
		`{"$dbPointer":{"$ref":"c","$id":{"$oid":"x"}}}`:                                  "an ObjectId",
		`{"$code":"","$scope":{"$oid":"0123456789abcdef01234567"}}`:                       "not a document",
		`{"$code":"","$scope":{"$code":"","$scope":{}}}`:                                  "not a document",
		`{"$code":"","$scope":[]}`:                                                        "not a document",
		`{"$code":"","$scope":{"$dbPointer":{"$id":{"$oid":"0123456789abcdef01234567"}}}`: "not a document",
	} {
		for _, g := range []Grammar{Documents, Filters} {
			if doc, err := Parse([]byte(`{"a":`+text+`}`), g); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, %v; want %q", text, doc, err, want)
			}
		}
	}
	if v := parsed(t, `{"a":{"$dbPointer":{"$id":{"$oid":"0123456789abcdef01234567"},"$ref":"c"}}}`); v.Type != bson.TypeDBPointer {
		t.Errorf("got %v", v)
	}
}

// TestAppendAnyDepth: what others have stored is served, however deep it is.
func TestAppendAnyDepth(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(1 << 20))
	const levels = 2_000_000
	var doc []byte
	for i := range levels {
		doc = binary.LittleEndian.AppendUint32(doc, uint32(5+7*(levels-1-i)))
		if i < levels-1 {
			doc = append(doc, byte(bson.TypeArray), 0)
		}
	}
	doc = append(doc, make([]byte, levels)...)
	text := AppendCanonical(nil, doc)
	if want := `{"":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + `}`; string(text) != want {
		t.Errorf("%d levels are written as %.20s…, %d bytes", levels, text, len(text))
	}
}
