package app

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text that formatting, logging and encoding do not show: they say
// whether it is set, and how long it is. The pointer keeps it out of sight even where
// package fmt may not call methods, in the unexported field of another struct.
type Secret struct {
	text *string
}

// NewSecret makes a Secret; "" means not set.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text; "" if it is not set.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsSet reports whether there is a text.
func (s Secret) IsSet() bool { return s.text != nil }

// Decode is called by envconfig.
func (s *Secret) Decode(value string) error {
	*s = NewSecret(value)
	return nil
}

// String says whether the secret is set.
func (s Secret) String() string {
	if s.text == nil {
		return "not set"
	}
	return fmt.Sprintf("set (%d bytes)", len(*s.text))
}

// Format implements fmt.Formatter, the same for all verbs.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler, and so JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
