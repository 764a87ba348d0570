package docdb

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/wire"
)

// Validate checks the rules of the package comment's section Documents:
// ErrTooLarge for the size, ErrInvalid for everything else. It reads the document
// once. Beyond the shape of BSON it asks that strings and names are
// UTF-8, since what is not could not be served as JSON; that _id is not there
// twice; and, as MongoDB does, that no name within an _id begins with "$".
func Validate(doc bson.Raw) error {
	if len(doc) > MaxDocumentSize {
		return fmt.Errorf("%w: a document of %d bytes, the limit is %d", ErrTooLarge, len(doc), MaxDocumentSize)
	}
	b, err := wire.CheckFrame(doc)
	if err != nil {
		return err
	}
	for first := true; len(b) > 0; first = false {
		name, v, rest, ok := wire.Next(b)
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
		} else if err := wire.CheckElement(name, v, MaxDepth-1); err != nil {
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
	if wire.ValueSize(id.Type, id.Value) != len(id.Value) {
		return invalid("an _id is not a BSON value")
	}
	return wire.CheckElement(idName, id, MaxDepth-1)
}

// checkNoDollar refuses names beginning with "$" at any level of an _id.
func checkNoDollar(doc []byte) error { return checkNoDollarIn(doc, MaxDepth) }

func checkNoDollarIn(doc []byte, depth int) error {
	if depth == 0 {
		return nil // checkElement refuses it
	}
	for b := wire.Elements(doc); ; {
		name, v, rest, ok := wire.Next(b)
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

// invalid returns an error that is ErrInvalid.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
