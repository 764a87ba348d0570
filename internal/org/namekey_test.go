package org

import (
	"testing"

	"pgregory.net/rapid"
)

// The short way for ASCII is the long way.
func TestNameKeyOfASCII(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ascii := string(rapid.SliceOf(rapid.ByteMax(0x7f)).Draw(t, "ascii"))
		if got, want := nameKey(ascii), foldAll(ascii); got != want {
			t.Errorf("nameKey(%q) = %q, want %q", ascii, got, want)
		}
	})
}
