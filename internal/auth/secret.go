package auth

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// MinSecretBytes is how many bytes a secret has at least: HS256 is as strong as a
// secret of 32 random bytes (RFC 7518, section 3.2).
const MinSecretBytes = 32

// howToMakeOne ends every message about a bad secret.
const howToMakeOne = "make a good one with: openssl rand -base64 48"

// CheckSecret says what is wrong with a secret, in one line that does not hold it,
// or returns nil. It refuses a text that is short, that has been published as a sample, or that
// a person would type in place of a secret. It cannot prove that a secret is random.
func CheckSecret(secret []byte) error {
	problem := ""
	switch {
	case len(secret) == 0:
		problem = "is missing"
	case len(secret) < MinSecretBytes:
		problem = fmt.Sprintf("has %d bytes, and needs %d or more", len(secret), MinSecretBytes)
	case isPublished(string(secret)):
		problem = "is a well-known sample, which anyone can look up"
	case distinctBytes(secret) < 8:
		problem = "has fewer than 8 different characters"
	case repeatsItself(secret):
		problem = "repeats itself"
	case isSequence(secret):
		problem = "counts up or down"
	case isPlaceholder(string(secret)):
		problem = "is made of words that stand for a secret"
	default:
		return nil
	}
	return errors.New(problem + "; " + howToMakeOne)
}

// published are samples that are random enough to pass for a secret, from documents
// and tutorials that are often copied; their beginnings, as some are cut or lengthened.
var published = []string{
	"09d25e094faa6ca2556c818166b7a9563b93f709", // FastAPI's tutorial
	"404E635266556A586E3272357538782F413F4428", // Spring Boot tutorials, and the next three
	"3cfa76ef14937c1c0ea519f8fc057a80fcd04a74",
	"5367566B59703373367639792F423F4528482B4D",
	"9a4f2c8d3b7a1e6f45c8a0b3f267d8b1d4e6f3c8",
	"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQ", // RFC 7515, A.1
}

// isPublished reports whether a secret holds a published sample, in any case.
func isPublished(secret string) bool {
	lower := strings.ToLower(secret)
	return slices.ContainsFunc(published, func(s string) bool { return strings.Contains(lower, strings.ToLower(s)) })
}

// placeholderWords are what placeholders consist of: "changeme",
// "your_jwt_secret_key_here", jwt.io's "your-256-bit-secret" and
// "a-string-secret-at-least-256-bits-long", and their like.
var placeholderWords = strings.Fields(`
	your my our this the that and with for from not only never use must should please very super ultra top long short safe secure
	insecure strong weak random secret secrets key keys jwt token tokens hmac sign signing signature auth password passwd pass
	passphrase word admin root user login access refresh private public shared master session cookie default example sample demo
	test testing dev development local localhost prod production staging change changed changeme replace replaced set insert
	enter put fill here later now before deploy deployment me it in at be is or to of on as an do least most more than min
	minimum max maximum bit bits byte bytes char chars character characters string value valid text some any thing something
	foo bar baz qwerty qwertyuiop asdf asdfghjkl zxcvbnm abc abcdef abcdefgh letmein hello world welcome placeholder
	todo fixme xxx org orgd organization organisation service app application api backend server mongo mongodb database
	hmac algorithm algo enough unit integration security which anyone nobody
	hs256 hs384 hs512 sha256 sha512 base64 hex 123 1234 12345 123456 1234567890 128 256 384 512 32 64 2023 2024 2025 2026`)

// isPlaceholder reports whether fewer than 12 letters and digits, or fewer than 8
// different ones, are left of a secret without those words. Of a random secret of
// 32 characters they take a few by chance, not twenty.
func isPlaceholder(secret string) bool {
	if !utf8.ValidString(secret) {
		return false // nobody has typed it
	}
	words := slices.Clone(placeholderWords)
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, w := range words {
		pairs = append(pairs, w, "")
	}
	text := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" _-.,:;!?'\"/\\|+=*#@$%&()<>[]{}", r) {
			return -1
		}
		return r
	}, strings.ToLower(secret))
	left := strings.NewReplacer(pairs...).Replace(text)
	return len(left) < 12 || distinctBytes([]byte(left)) < 8
}

func distinctBytes(b []byte) int {
	var seen [256]bool
	n := 0
	for _, c := range b {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n
}

// repeatsItself reports whether b is one piece, at most half as long, again and again.
func repeatsItself(b []byte) bool {
	for n := 1; n <= len(b)/2; n++ {
		if bytes.Equal(b[n:], b[:len(b)-n]) {
			return true
		}
	}
	return false
}

// isSequence reports whether two of three bytes are next to the one before them,
// as in "abcdefghijklmnop" and "0987654321".
func isSequence(b []byte) bool {
	near := 0
	for i := 1; i < len(b); i++ {
		if d := int(b[i]) - int(b[i-1]); -1 <= d && d <= 1 {
			near++
		}
	}
	return 3*near > 2*len(b)
}
