package problem

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// A Field says what is wrong with one input, the contract's FieldError.
type Field struct {
	Pointer   string `json:"pointer,omitempty"`
	Parameter string `json:"parameter,omitempty"`
	Detail    string `json:"detail"`
}

// namedField says what is wrong with the input of that name.
func namedField(name, detail string, parameters map[string]bool) Field {
	if parameters[name] {
		return Field{Parameter: name, Detail: Clip(detail, 1024)}
	}
	return Field{Pointer: Pointer(name), Detail: Clip(detail, 1024)}
}

// Clip keeps a text within the contract's maxLength, in characters.
func Clip(s string, most int) string {
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// MaxPointer is maxLength of the contract's FieldError.pointer.
const MaxPointer = 1024

// Pointer writes a JSON Pointer as a URI fragment (RFC 6901, section 6). Where
// it would be too long, because the client made up an endless name, it points
// at the object around that.
func Pointer(path ...string) string {
	var b strings.Builder
	b.WriteByte('#')
	for _, name := range path {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
		name = (&url.URL{Fragment: name}).EscapedFragment()
		if b.Len()+1+len(name) > MaxPointer {
			break
		}
		b.WriteByte('/')
		b.WriteString(name)
	}
	return b.String()
}
