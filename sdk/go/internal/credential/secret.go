package credential

// A Secret is text that no verb of package fmt shows, wherever it is stored. The nil
// Secret is empty.
type Secret func() string

// Hide makes a text a secret.
func Hide(text string) Secret { return func() string { return text } }

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s == nil {
		return ""
	}
	return s()
}
