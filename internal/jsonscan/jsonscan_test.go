package jsonscan

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzString: a string is what encoding/json takes it for, in the text's memory and in a
// caller's; but halves of surrogate pairs are refused, which encoding/json replaces.
func FuzzString(f *testing.F) {
	for _, seed := range []string{`""`, `"a"`, `"\u0000\ud83d\udc1d\"\\\/\b\f\n\r\t é"`, `"\ud83d"`, `"\ud83d\u0041"`, `"\u12g4"`, `"\`, `"a`, "\"\x1f\"", "\"\x7f\"", "\"\xff\"", `"a" `} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := New(text)
		if (err == nil) != utf8.Valid(text) {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil || s.Peek() != '"' {
			return
		}
		appended := s
		got, err := s.String()
		to, appendErr := appended.AppendString([]byte("before "))
		if (err == nil) != (appendErr == nil) || err == nil && string(to) != "before "+string(got) {
			t.Fatalf("%q is %q, %v, and appended %q, %v", text, got, err, to, appendErr)
		}
		if err == nil {
			err = s.End()
		}
		var want string
		wantErr := json.Unmarshal(text, &want)
		half := strings.Contains(want, "\ufffd") && err != nil && strings.HasSuffix(err.Error(), "half of a surrogate pair")
		if !half && ((err == nil) != (wantErr == nil) || err == nil && string(got) != want) {
			t.Fatalf("%q is %q, %v; want %q, %v", text, got, err, want, wantErr)
		}
	})
}

func TestNumber(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		whole    bool
		at       int // where the scanner stops
	}{
		{"0", "0", true, 1}, {"-0", "-0", true, 2}, {"01", "0", true, 1}, {"1234567890123456789012", "1234567890123456789012", true, 22},
		{"1.50", "1.50", false, 4}, {"1e5", "1e5", false, 3}, {"-1.5E+10 ", "-1.5E+10", false, 8}, {"1e-5,", "1e-5", false, 4},
		{"-", "", false, 1}, {"1.", "", false, 2}, {"1.e5", "", false, 2}, {"1e", "", false, 2}, {"1e+-5", "", false, 3}, {".5", "", false, 0}, {"", "", false, 0},
	} {
		s, err := New([]byte(tt.in))
		if err != nil {
			t.Fatal(err)
		}
		got, whole, err := s.Number()
		if (err == nil) != (tt.want != "") || string(got) != tt.want || whole != tt.whole || s.Pos() != tt.at {
			t.Errorf("%q: %q, whole %v, at byte %d, %v", tt.in, got, whole, s.Pos(), err)
		}
	}
}

// TestDepth: what is open is counted, and no more may be than the parser allows.
func TestDepth(t *testing.T) {
	s, err := New([]byte(`[{"a":[]}] `))
	if err != nil {
		t.Fatal(err)
	}
	open := func(end byte, more bool, depth int) {
		t.Helper()
		if got, err := s.Open(end, 3); err != nil || got != more || s.Depth != depth {
			t.Fatalf("%v, depth %d, %v", got, s.Depth, err)
		}
	}
	closed := func(end byte, depth int) {
		t.Helper()
		if got, err := s.More(end); err != nil || got || s.Depth != depth {
			t.Fatalf("%v, depth %d, %v", got, s.Depth, err)
		}
	}
	open(']', true, 1)
	open('}', true, 2)
	if name, err := s.Name(); err != nil || string(name) != "a" || s.Colon() != nil {
		t.Fatalf("%q, %v", name, err)
	}
	open(']', false, 2)
	closed('}', 1)
	closed(']', 0)
	if err := s.End(); err != nil {
		t.Error(err)
	}
	s.Seek(0)
	_, err = s.Open(']', 0)
	if e, ok := err.(*Error); !ok || !e.TooDeep || e.Reason != "is nested deeper than 0 levels" {
		t.Errorf("no level is allowed: %v", err)
	}
}
