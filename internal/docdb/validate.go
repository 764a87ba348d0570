package docdb

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/orgd/orgd/internal/bsonappend"
	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	// MaxPath is the length of the longest path in a filter or index, in bytes.
	MaxPath = 255
	// MaxCollectionName is the length of the longest collection name, in bytes.
	MaxCollectionName = 170
	// MaxDatabaseName is the length of the longest database name, in bytes:
	// MongoDB's limit.
	MaxDatabaseName = 63
	// MaxIndexName is the length of the longest index name, in bytes.
	MaxIndexName = 64
)

// ID returns the document's _id, its first element; the zero value if it has none.
// It shares the document's memory.
func ID(doc bson.Raw) bson.RawValue {
	name, v, _, ok := next(body(doc))
	if !ok || string(name) != "_id" {
		return bson.RawValue{}
	}
	return v
}

// StringID returns the _id that is the string s.
func StringID(s string) bson.RawValue {
	return bson.RawValue{Type: bson.TypeString, Value: bsonappend.String(make([]byte, 0, len(s)+5), s)}
}

// Validate checks the rules of the package comment's section Documents:
// ErrTooLarge for the size, ErrInvalid for everything else. It reads the document
// once. Beyond the shape of BSON it asks that strings and names are
// UTF-8, since what is not could not be served as JSON; that _id is not there
// twice; and, as MongoDB does, that no name within an _id begins with "$".
func Validate(doc bson.Raw) error {
	if len(doc) > MaxDocumentSize {
		return fmt.Errorf("%w: a document of %d bytes, the limit is %d", ErrTooLarge, len(doc), MaxDocumentSize)
	}
	b, err := checkFrame(doc)
	if err != nil {
		return err
	}
	for first := true; len(b) > 0; first = false {
		name, v, rest, ok := next(b)
		if !ok {
			return invalid("a document is not valid BSON")
		}
		if err := checkTopName(name, first); err != nil {
			return err
		}
		if first {
			if err := ValidateID(v); err != nil {
				return err
			}
		} else if err := checkElement(name, v, MaxDepth-1); err != nil {
			return err
		}
		b = rest
	}
	if ID(doc).IsZero() {
		return invalid("the first element of a document must be its _id")
	}
	return nil
}

// checkTopName checks the name of an element at the top level of a document.
func checkTopName(name []byte, first bool) error {
	switch {
	case len(name) == 0:
		return invalid("an empty name at the top level of a document")
	case name[0] == '$':
		return invalid("the name %q at the top level of a document begins with $", name)
	case first && string(name) != "_id":
		return invalid("the first element of a document must be its _id, not %q", name)
	case !first && string(name) == "_id":
		return invalid("a document has two _id")
	default:
		return nil
	}
}

var idName = []byte("_id")

// ValidateID checks that a value may be an _id.
func ValidateID(id bson.RawValue) error {
	switch id.Type {
	case bson.TypeArray, bson.TypeRegex, bson.TypeUndefined:
		return invalid("an _id cannot be of type %s", id.Type)
	case bson.TypeEmbeddedDocument:
		if err := checkNoDollar(id.Value); err != nil {
			return err
		}
	}
	if valueSize(id.Type, id.Value) != len(id.Value) {
		return invalid("an _id is not a BSON value")
	}
	return checkElement(idName, id, MaxDepth-1)
}

// checkNoDollar refuses names beginning with "$" at any level of an _id.
func checkNoDollar(doc []byte) error { return checkNoDollarIn(doc, MaxDepth) }

func checkNoDollarIn(doc []byte, depth int) error {
	if depth == 0 {
		return nil // checkElement refuses it
	}
	for b := body(doc); ; {
		name, v, rest, ok := next(b)
		if !ok {
			return nil
		}
		if len(name) > 0 && name[0] == '$' {
			return invalid("the name %q within an _id begins with $", name)
		}
		if v.Type == bson.TypeEmbeddedDocument || v.Type == bson.TypeArray {
			if err := checkNoDollarIn(v.Value, depth-1); err != nil {
				return err
			}
		}
		b = rest
	}
}

// checkFrame checks a document's length and terminator and returns its elements.
func checkFrame(doc []byte) ([]byte, error) {
	if len(doc) < 5 || int32At(doc) != len(doc) || doc[len(doc)-1] != 0 {
		return nil, invalid("a document is not valid BSON: its length or its end is wrong")
	}
	return doc[4 : len(doc)-1], nil
}

// checkBody checks a document or array; depth is how many levels, itself
// included, are still allowed.
func checkBody(doc []byte, depth int) error {
	if depth == 0 {
		return invalid("a document nests deeper than %d levels", MaxDepth)
	}
	b, err := checkFrame(doc)
	if err != nil {
		return err
	}
	for len(b) > 0 {
		name, v, rest, ok := next(b)
		if !ok {
			return invalid("a document is not valid BSON")
		}
		if err := checkElement(name, v, depth-1); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// checkElement checks the name and the inside of a value whose size is right.
func checkElement(name []byte, v bson.RawValue, depth int) error {
	if !utf8.Valid(name) {
		return invalid("a name is not UTF-8: %q", name)
	}
	ok := true
	switch v.Type {
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		return checkBody(v.Value, depth)
	case bson.TypeString, bson.TypeJavaScript, bson.TypeSymbol:
		ok = checkString(v.Value)
	case bson.TypeBoolean:
		ok = v.Value[0] <= 1
	case bson.TypeRegex:
		ok = utf8.Valid(v.Value)
	case bson.TypeDBPointer:
		ok = checkString(v.Value[:len(v.Value)-12])
	case bson.TypeBinary:
		// The old subtype repeats the length within the bytes.
		ok = v.Value[4] != bson.TypeBinaryBinaryOld ||
			len(v.Value) >= 9 && int32At(v.Value[5:]) == len(v.Value)-9
	case bson.TypeCodeWithScope:
		return checkCodeWithScope(name, v.Value, depth)
	}
	if !ok {
		return invalid("the value of type %s at %q is malformed", v.Type, name)
	}
	return nil
}

// checkString checks the terminator and the encoding of a string that fills b.
func checkString(b []byte) bool {
	return b[len(b)-1] == 0 && utf8.Valid(b[4:len(b)-1])
}

func checkCodeWithScope(name, b []byte, depth int) error {
	size := prefixedSize(bson.TypeString, b[4:])
	if size < 0 || 4+size > len(b) || !checkString(b[4:4+size]) {
		return invalid("the value of type %s at %q is malformed", bson.TypeCodeWithScope, name)
	}
	return checkBody(b[4+size:], depth)
}

// invalid returns an error that is ErrInvalid.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// ValidateCollectionName checks the rules stated on Database.
func ValidateCollectionName(name string) error {
	if err := checkName("collection", name, MaxCollectionName, "_-."); err != nil {
		return err
	}
	if strings.HasPrefix(name, "system.") || strings.HasPrefix(name, ".") ||
		strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		return invalid("the collection name %q begins with \"system.\" or has a misplaced dot", name)
	}
	return nil
}

// ValidateDatabaseName checks that a database's name is 1 to MaxDatabaseName
// bytes of ASCII letters, digits, "_" and "-".
func ValidateDatabaseName(name string) error {
	return checkName("database", name, MaxDatabaseName, "_-")
}

// ValidateIndex checks the rules stated on Index. The name of the index on _id
// is taken.
func ValidateIndex(ix Index) error {
	if err := checkName("index", ix.Name, MaxIndexName, "_-"); err != nil {
		return err
	}
	if ix.Name == IDIndex {
		return invalid("the index name %q is taken by the index on _id", IDIndex)
	}
	if len(ix.Keys) == 0 || len(ix.Keys) > MaxIndexKeys {
		return invalid("the index %q has %d keys, not 1 to %d", ix.Name, len(ix.Keys), MaxIndexKeys)
	}
	for i, key := range ix.Keys {
		if key.Path == "_id" {
			return invalid("the index %q has the key _id, which every collection has an index on", ix.Name)
		}
		if problem := pathProblem(key.Path); problem != "" {
			return invalid("the index %q has the key %q: %s", ix.Name, key.Path, problem)
		}
		for _, other := range ix.Keys[:i] {
			if other.Path == key.Path {
				return invalid("the index %q has the key %q twice", ix.Name, key.Path)
			}
		}
	}
	return nil
}

// checkName checks a name of 1 to limit bytes of ASCII letters, digits and more.
func checkName(what, name string, limit int, more string) error {
	if len(name) == 0 || len(name) > limit {
		return invalid("a %s name has %d bytes, not 1 to %d", what, len(name), limit)
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(more, c) >= 0) {
			return invalid("the %s name %q has a character other than ASCII letters, digits and %q", what, name, more)
		}
	}
	return nil
}

// pathProblem says what is wrong with a dotted path, or nothing.
func pathProblem(path string) string {
	switch {
	case path == "":
		return "it is empty"
	case len(path) > MaxPath:
		return fmt.Sprintf("it is longer than %d bytes", MaxPath)
	case !utf8.ValidString(path) || strings.IndexByte(path, 0) >= 0:
		return "it is not UTF-8 without NUL"
	}
	for segment := range strings.SplitSeq(path, ".") {
		if segment == "" {
			return "a part of it is empty"
		}
		if segment[0] == '$' {
			return "a part of it begins with $"
		}
	}
	return ""
}
