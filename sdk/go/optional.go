package orgd

// The generated types have a pointer for what may be missing.

// pointer returns a pointer to a copy of v.
func pointer[T any](v T) *T { return &v }

// given returns a pointer to s, nil if it is empty.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// text returns what s points to, "" if it is nil.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
