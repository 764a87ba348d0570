package org

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	// MaxNameLength is the longest organization name in characters, after trimming.
	MaxNameLength = 100
	// maxSlugLength keeps a collection's name, with a suffix and a database's
	// name before it, well under MongoDB's 255 bytes and readable in a listing.
	maxSlugLength = 64
	// CollectionPrefix begins every collection name of orgd's in the tenant database.
	CollectionPrefix = "org_"
)

// A Name is an organization's name: as it is shown, and as it is compared.
type Name struct {
	// Display is the name as given, without the white space around it.
	Display string
	// Key decides whether two names are the same: NFKC, case-folded, invisible
	// characters dropped and inner white space collapsed.
	Key string
}

// ParseName checks a name and derives its key. The error is an *Error of kind
// Invalid without a field; the caller knows which.
func ParseName(s string) (Name, error) {
	if !utf8.ValidString(s) {
		return Name{}, Errorf(Invalid, "is not valid UTF-8")
	}
	display := strings.TrimSpace(s)
	if display == "" {
		return Name{}, Errorf(Invalid, "is empty")
	}
	if n := utf8.RuneCountInString(display); n > MaxNameLength {
		return Name{}, Errorf(Invalid, "is %d characters long, more than %d", n, MaxNameLength)
	}
	for _, r := range display {
		if forbidden(r) {
			return Name{}, Errorf(Invalid, "holds the character %U, which names may not: it controls text instead of being read", r)
		}
	}
	key := nameKey(display)
	if key == "" {
		return Name{}, Errorf(Invalid, "holds no visible character")
	}
	return Name{Display: display, Key: key}, nil
}

// forbidden are controls, line and paragraph separators and what turns the
// direction of text (Unicode's Bidi_Control property): they make one name look
// like another or break out of a line in a log.
func forbidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// nameKey folds s. Plain ASCII, which most names are, needs no tables for that:
// every lookup of an organization comes through here.
func nameKey(s string) string {
	for _, c := range []byte(s) {
		if c >= utf8.RuneSelf {
			return foldAll(s)
		}
	}
	return strings.Join(strings.Fields(strings.ToLower(s)), " ")
}

// foldAll normalizes until nothing changes: folding can undo a normal form, and
// dropping an invisible character can bring two letters together that compose.
func foldAll(s string) string {
	for range 4 {
		next := fold(s)
		if next == s {
			break
		}
		s = next
	}
	return s
}

func fold(s string) string {
	s = cases.Fold().String(norm.NFKC.String(s))
	s = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			return -1
		}
		return r
	}, s)
	return norm.NFKC.String(strings.Join(strings.Fields(s), " "))
}

// Slug is the part of a collection's name that comes from the organization's:
// lower-case ASCII letters, digits and "_", never empty, at most 64 bytes. Names
// of no ASCII letter or digit have the slug "x". Different names may have one
// slug; the organization that claims the collection's name first has it.
func (n Name) Slug() string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFKD.String(n.Key) {
		switch {
		case unicode.Is(unicode.Mn, r): // an accent, parted from its letter by NFKD
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			b.WriteRune(r)
			gap = false
		default:
			gap = true
		}
		if b.Len() >= maxSlugLength {
			break
		}
	}
	if b.Len() == 0 {
		return "x"
	}
	return b.String()
}
