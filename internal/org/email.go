package org

import (
	"regexp"
	"strings"
)

// maxEmailLength is SMTP's limit on a path less its angle brackets (RFC 5321,
// 4.5.3.1.3).
const maxEmailLength = 254

// emailPattern is what HTML calls a valid e-mail address, as in openapi.yaml.
var emailPattern = regexp.MustCompile(
	"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?" +
		`(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$`)

// An Email is an e-mail address: as it is shown, and as it is compared.
type Email struct {
	Display string
	// Key is the address in lower case. That the local part could be case
	// sensitive (RFC 5321, 2.4) is true of no provider that users have.
	Key string
}

// ParseEmail checks an e-mail address. The error is an *Error of kind Invalid
// without a field; the caller knows which.
func ParseEmail(s string) (Email, error) {
	if len(s) > maxEmailLength {
		return Email{}, Errorf(Invalid, "is %d characters long, more than %d", len(s), maxEmailLength)
	}
	if !emailPattern.MatchString(s) {
		return Email{}, Errorf(Invalid, "is not an e-mail address")
	}
	return Email{Display: s, Key: strings.ToLower(s)}, nil
}
