package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/orgd/orgd/internal/org"
)

func TestVerifyRefusesOtherAlgorithms(t *testing.T) {
	const notValid = "The signature of the token is not valid."
	tokens := newTokens(t, nil)
	claims := jwt.MapClaims(goodClaims())
	with := func(m jwt.SigningMethod, key any) string {
		t.Helper()
		s, err := jwt.NewWithClaims(m, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed := strings.Split(with(jwt.SigningMethodHS256, testSecret), ".")
	for name, token := range map[string]string{
		"none":                             with(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"none, with a good signature":      encode(`{"alg":"none"}`) + "." + signed[1] + "." + signed[2],
		"HS384 with the same secret":       with(jwt.SigningMethodHS384, testSecret),
		"HS512 with the same secret":       with(jwt.SigningMethodHS512, testSecret),
		"RS256":                            with(jwt.SigningMethodRS256, rsaKey),
		"ES256":                            with(jwt.SigningMethodES256, ecKey),
		"another secret":                   with(jwt.SigningMethodHS256, []byte(strings.Repeat("y", 32))),
		"an empty secret":                  with(jwt.SigningMethodHS256, []byte{}),
		"the secret without its last byte": with(jwt.SigningMethodHS256, testSecret[:31]),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tokens.Verify(token)
			wantRefused(t, err, notValid)
		})
	}
	const notAccepted = "The token is not signed in a way that is accepted here."
	good := with(jwt.SigningMethodHS256, testSecret)
	for name, header := range map[string]string{
		"no algorithm":           `{"typ":"JWT"}`,
		"NONE in capitals":       `{"alg":"NONE"}`,
		"hs256 in small letters": `{"alg":"hs256"}`,
		"an unknown algorithm":   `{"alg":"HS257"}`,
		"a number":               `{"alg":256}`,
		"critical extensions":    `{"alg":"HS256","crit":["exp"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			claims, err := base64.RawURLEncoding.DecodeString(strings.Split(good, ".")[1])
			if err != nil {
				t.Fatal(err)
			}
			_, err = tokens.Verify(sign(header, string(claims)))
			wantRefused(t, err, notAccepted)
		})
	}
}

func TestVerifyRefusesDamagedTokens(t *testing.T) {
	const (
		malformed = "The token is malformed."
		notValid  = "The signature of the token is not valid."
	)
	tokens := newTokens(t, nil)
	good := issue(t, tokens)
	parts := strings.Split(good, ".")
	other := strings.Split(sign(goodHeader, with("role", "admin")), ".")
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, c := range []struct{ name, token, want string }{
		{"empty", "", "The token is empty."},
		{"a dot", ".", malformed},
		{"two dots", "..", malformed},
		{"only dots", strings.Repeat(".", 4000), malformed},
		{"one segment", parts[0], malformed},
		{"two segments", parts[0] + "." + parts[1], malformed},
		{"four segments", good + "." + parts[2], malformed},
		{"a dot at the end", good + ".", malformed},
		{"segments twice", good + "." + good, malformed},
		{"no signature", parts[0] + "." + parts[1] + ".", notValid},
		{"no payload", parts[0] + ".." + parts[2], malformed},
		{"no header", "." + parts[1] + "." + parts[2], malformed},
		{"another token's payload", parts[0] + "." + other[1] + "." + parts[2], notValid},
		{"another token's signature", parts[0] + "." + parts[1] + "." + other[2], notValid},
		{"half a signature", good[:len(good)-19], notValid},
		{"a longer signature", good + "AAAA", notValid},
		{"padding", good + "=", malformed},
		{"padding in the payload", parts[0] + "." + parts[1] + "==." + parts[2], malformed},
		{"base64 that is not for URLs", parts[0] + ".++//." + parts[2], malformed},
		{"a line end", parts[0] + "." + parts[1] + ".\n" + parts[2], malformed},
		{"a space before", " " + good, malformed},
		{"a NUL after", good + "\x00", malformed},
		{"the scheme before", "Bearer " + good, malformed},
		{"letters outside ASCII", good[:20] + "é" + good[20:], malformed},
		{"too long", strings.Repeat("A", 4097), "The token is malformed: it has more than 4096 bytes."},
		{"huge", strings.Repeat("A.", 1<<20), "The token is malformed: it has more than 4096 bytes."},
		{"a header that is no object", sign(`"HS256"`, with("role", "x")), malformed},
		{"a header of null", sign(`null`, with("role", "x")), "The token is not signed in a way that is accepted here."},
		{"claims that are no object", sign(goodHeader, `[1]`), malformed},
		{"claims of null", sign(goodHeader, `null`), "The token lacks a claim that is required here."},
		{"claims with something after", sign(goodHeader, with("role", "x")+"{}"), malformed},
		{"claims that are cut", sign(goodHeader, `{"iss":"orgd"`), malformed},
		{"nested a thousand deep", sign(goodHeader, deep(1400)), malformed},
		{"a header nested deep", sign(deep(1400), `{}`), malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := tokens.Verify(c.token)
			wantRefused(t, err, c.want)
		})
	}
}

func TestVerifyRefusesEveryChangeOfOneCharacter(t *testing.T) {
	tokens := newTokens(t, nil)
	good := issue(t, tokens)
	for i := range good {
		for _, r := range []byte("A_z.-9") {
			changed := good[:i] + string(r) + good[i+1:]
			if changed == good {
				continue
			}
			if _, err := tokens.Verify(changed); !errors.Is(err, org.Unauthenticated) {
				t.Fatalf("with %q at %d the error is %v", r, i, err)
			}
		}
		if _, err := tokens.Verify(good[:i]); !errors.Is(err, org.Unauthenticated) {
			t.Fatalf("cut at %d the error is %v", i, err)
		}
	}
}
