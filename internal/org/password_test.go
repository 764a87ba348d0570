package org_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/orgd/orgd/internal/org"
)

func TestPasswords(t *testing.T) {
	for password, want := range map[string]string{
		"":                               "has 0 characters, fewer than 8",
		"1234567":                        "has 7 characters",
		"éééé":                           "has 4 characters",
		"12345678":                       "",
		"éééééééé":                       "",
		strings.Repeat("x", 72):          "",
		strings.Repeat("x", 73):          "is 73 bytes long, more than the 72",
		strings.Repeat("é", 36):          "",
		strings.Repeat("é", 36) + "e":    "is 73 bytes long",
		"        ":                       "",
		"pass\x00word":                   "NUL",
		"pass\xffword":                   "UTF-8",
		"tab\tand\nline end are allowed": "",
	} {
		err := org.CheckPassword(password)
		if want == "" && err != nil || want != "" && (!errors.Is(err, org.Invalid) || !strings.Contains(err.Error(), want)) {
			t.Errorf("CheckPassword(%q) = %v, want %q", password, err, want)
		}
		if err != nil && password != "" && strings.Contains(err.Error(), password) {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}
