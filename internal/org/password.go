package org

import (
	"strings"
	"unicode/utf8"
)

const (
	// MinPasswordLength is the shortest password, in characters.
	MinPasswordLength = 8
	// MaxPasswordBytes is all that bcrypt looks at; a longer password is
	// refused rather than cut.
	MaxPasswordBytes = 72
)

// CheckPassword checks a new password. The error is an *Error of kind Invalid
// without a field; it does not hold the password.
func CheckPassword(password string) error {
	switch n := utf8.RuneCountInString(password); {
	case !utf8.ValidString(password):
		return Errorf(Invalid, "is not valid UTF-8")
	case n < MinPasswordLength:
		return Errorf(Invalid, "has %d characters, fewer than %d", n, MinPasswordLength)
	case len(password) > MaxPasswordBytes:
		return Errorf(Invalid, "is %d bytes long, more than the %d that bcrypt takes (letters outside ASCII take 2 to 4)",
			len(password), MaxPasswordBytes)
	case strings.Contains(password, "\x00"):
		// bcrypt repeats the password, closed by a NUL, to fill 72 bytes:
		// "password" and "password\x00password" have the same hash.
		return Errorf(Invalid, "holds a NUL character")
	}
	return nil
}
