package org_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/org"
)

func TestNamesThatAreTheSame(t *testing.T) {
	for _, same := range [][]string{
		{"Acme Inc", "acme inc", " ACME  INC ", "Acme\u00a0Inc", "Acme\u3000Inc", "Ａｃｍｅ Ｉｎｃ", "Ac\u200bme Inc", "Acme \ufeffInc"},
		{"Straße", "STRASSE", "strasse"},
		{"Café", "Cafe\u0301", "CAFÉ"},
		{"ΣΊΣΥΦΟΣ", "σίσυφος", "Σίσυφοσ"},
		{"ﬁnance", "finance", "FINANCE"},
		{"株式会社", "\u2003株式会社"},
		{"❤\ufe0f GmbH", "❤ gmbh"},
		{"①", "1"},
	} {
		first, err := org.ParseName(same[0])
		if err != nil {
			t.Fatalf("ParseName(%q): %v", same[0], err)
		}
		for _, s := range same[1:] {
			n, err := org.ParseName(s)
			if err != nil || n.Key != first.Key {
				t.Errorf("ParseName(%q).Key = %q, %v; want %q as of %q", s, n.Key, err, first.Key, same[0])
			}
		}
	}
}

func TestNamesThatDiffer(t *testing.T) {
	names := []string{"Acme", "Acme.", "Ac me", "Acmé", "Аcme" /* Cyrillic А */, "A-c-m-e", "アクメ", "あくめ"}
	seen := map[string]string{}
	for _, s := range names {
		n, err := org.ParseName(s)
		if err != nil {
			t.Fatalf("ParseName(%q): %v", s, err)
		}
		if other, ok := seen[n.Key]; ok {
			t.Errorf("%q and %q have the key %q", s, other, n.Key)
		}
		seen[n.Key] = s
	}
}

func TestNamesThatAreRefused(t *testing.T) {
	for _, s := range []string{
		"", " ", "\u3000\t", "a\x00b", "a\nb", "a\u202eb", "a\u2066b", "a\u200eb", "a\u061cb", "a\u0085b", "a\u2028b",
		"\u200b", "\u00ad\u2060", "\ufe0f", strings.Repeat("x", 101), strings.Repeat("株", 101), "\xff",
	} {
		_, err := org.ParseName(s)
		if !errors.Is(err, org.Invalid) {
			t.Errorf("ParseName(%q) = %v, want Invalid", s, err)
		}
	}
}

func TestNameLengthIsOfCharactersAfterTrimming(t *testing.T) {
	for _, s := range []string{"x", strings.Repeat("株", 100), "  " + strings.Repeat("x", 100) + "\t"} {
		if n, err := org.ParseName(s); err != nil || n.Display != strings.TrimSpace(s) {
			t.Errorf("ParseName(%q) = %q, %v", s, n.Display, err)
		}
	}
}

func TestSlug(t *testing.T) {
	for name, want := range map[string]string{
		"Acme":                  "acme",
		"Acme, Inc.":            "acme_inc",
		"  --Acme--  ":          "acme",
		"a_b":                   "a_b",
		"a.b":                   "a_b",
		"Café Münster":          "cafe_munster",
		"株式会社":                  "x",
		"株式会社 42":               "42",
		"!!!":                   "x",
		"Łódź":                  "odz",
		"system.users":          "system_users",
		strings.Repeat("a", 99): strings.Repeat("a", 64),
	} {
		n, err := org.ParseName(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Slug(); got != want {
			t.Errorf("slug of %q = %q, want %q", name, got, want)
		}
	}
}

func TestNameProperties(t *testing.T) {
	slug := regexp.MustCompile(`^[a-z0-9_]{1,65}$`)
	rapid.Check(t, func(t *rapid.T) {
		n, err := org.ParseName(rapid.String().Draw(t, "name"))
		if err != nil {
			return
		}
		if !utf8.ValidString(n.Key) || n.Key == "" {
			t.Fatalf("key %q", n.Key)
		}
		again, err := org.ParseName(n.Display)
		if err != nil || again != n {
			t.Fatalf("parsed again: %+v, %v; want %+v", again, err, n)
		}
		if s := n.Slug(); !slug.MatchString(s) {
			t.Fatalf("slug %q", s)
		}
		// A key is its own key: renaming to it is no change.
		if k, err := org.ParseName(n.Key); err == nil && k.Key != n.Key {
			t.Fatalf("key of key %q is %q", n.Key, k.Key)
		}
	})
}

func TestEmails(t *testing.T) {
	for s, key := range map[string]string{
		"Admin@Acme.Example": "admin@acme.example", "a@localhost": "a@localhost", "a+b@x-y.org": "a+b@x-y.org",
		strings.Repeat("l", 64) + "@d": strings.Repeat("l", 64) + "@d",
	} {
		if e, err := org.ParseEmail(s); err != nil || e.Key != key || e.Display != s {
			t.Errorf("ParseEmail(%q) = %+v, %v", s, e, err)
		}
	}
	for _, s := range []string{
		"", "a", "@", "a@", "@b", "a b@c", "a@b c", "a@b\n", "a@b@c", "a@-b", "a@b-", "a@b..c", "a@.b", "ä@b", "a@b\x00",
		strings.Repeat("l", 65) + "@d", "a@" + strings.Repeat("d", 64), "a@" + strings.Repeat("d.", 130) + "d",
	} {
		if _, err := org.ParseEmail(s); !errors.Is(err, org.Invalid) {
			t.Errorf("ParseEmail(%q) = %v, want Invalid", s, err)
		}
	}
}
