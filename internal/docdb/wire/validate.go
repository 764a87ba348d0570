package wire

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// MaxDepth is how deep documents and arrays may nest, the document itself included:
// MongoDB's limit.
const MaxDepth = 100

// ErrInvalid is what is wrapped by every error about bytes that break a rule. The engines
// answer it as docdb.ErrInvalid.
var ErrInvalid = errors.New("docdb: invalid")

// CheckFrame checks a document's length and terminator and returns its elements.
func CheckFrame(doc []byte) ([]byte, error) {
	if len(doc) < 5 || int32At(doc) != len(doc) || doc[len(doc)-1] != 0 {
		return nil, malformed("a document is not valid BSON: its length or its end is wrong")
	}
	return doc[4 : len(doc)-1], nil
}

// CheckDocument checks a document or array; depth is how many levels, itself
// included, are still allowed.
func CheckDocument(doc []byte, depth int) error {
	if depth == 0 {
		return malformed("a document nests deeper than %d levels", MaxDepth)
	}
	b, err := CheckFrame(doc)
	if err != nil {
		return err
	}
	for len(b) > 0 {
		name, v, rest, ok := Next(b)
		if !ok {
			return malformed("a document is not valid BSON")
		}
		if err := CheckElement(name, v, depth-1); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// CheckElement checks the name and the inside of a value whose size is right.
func CheckElement(name []byte, v bson.RawValue, depth int) error {
	if !utf8.Valid(name) {
		return malformed("a name is not UTF-8: %q", name)
	}
	ok := true
	switch v.Type {
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		return CheckDocument(v.Value, depth)
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
		return malformed("the value of type %s at %q is malformed", v.Type, name)
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
		return malformed("the value of type %s at %q is malformed", bson.TypeCodeWithScope, name)
	}
	return CheckDocument(b[4+size:], depth)
}

// malformed returns an error that is ErrInvalid.
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
