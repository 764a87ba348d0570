// Package extjson turns MongoDB Extended JSON v2 into BSON and back, without loss:
// the order of names is kept, and so is every number.
//
// It replaces the driver's own reader, which loses what it does not expect
// (a name given twice, half a surrogate pair, the digits of an integer beyond 64
// bits, an unknown type's name), and needs reflection; what it reads and writes
// the driver reads and writes alike, which the tests hold it to.
package extjson

import "strconv"

// An Error says what is wrong with a text. It holds names, and no values.
type Error struct {
	// Path leads to the place, by names and, within arrays, by indexes.
	Path []string
	// Reason goes on from the place: "is given more than once".
	Reason string
	// TooLarge says that as BSON it has more than docdb.MaxDocumentSize bytes.
	TooLarge bool
}

// Error implements error.
func (e *Error) Error() string {
	s := "extjson: "
	for i, name := range e.Path {
		if i > 0 {
			s += "."
		}
		s += strconv.Quote(name)
	}
	return s + " " + e.Reason
}

// A Grammar says what a document of the text may hold.
type Grammar int

const (
	// Documents: a name that begins with "$" is that of a type of Extended JSON
	// or an error, at every level; so what is written reads back the same.
	Documents Grammar = iota
	// Filters: any other name that begins with "$" is an operator's.
	Filters
)
