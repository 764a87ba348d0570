package auth

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

func TestCheckSecretRefuses(t *testing.T) {
	for _, secret := range []string{
		"",
		"secret", "changeme", "supersecret", "your-secret-key", "your_jwt_secret_key_here",
		strings.Repeat("a", 64),
		strings.Repeat("abcd", 16),
		"secretsecretsecretsecretsecretsecret",
		"changemechangemechangemechangeme!!",
		"your_jwt_secret_key_here________________",
		"your_super_secret_jwt_key_change_this_in_production",
		"YOUR-SUPER-SECRET-JWT-KEY-AT-LEAST-32-CHARACTERS-LONG",
		"any_secret_here00000000000000000000000",
		"your-256-bit-secret-your-256-bit-secret",
		"a-string-secret-at-least-256-bits-long",
		"a-valid-string-secret-that-is-at-least-384-bits-long",
		"a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
		"test-integration-secret-key-that-is-at-least-512-bits-long-for-hs512-algorithm-test",
		"12345678901234567890123456789012",
		"0123456789abcdef0123456789abcdef",
		"abcdefghijklmnopqrstuvwxyz0123456789",
		"qwertyuiopasdfghjklzxcvbnm123456",
		"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
		"404e635266556a586e3272357538782f413f4428472b4b6250645367566b5970",
		strings.Repeat("\x00", 48),
		strings.Repeat(" ", 40),
	} {
		err := CheckSecret([]byte(secret))
		if err == nil {
			t.Errorf("CheckSecret(%q) accepts it", secret)
			continue
		}
		if !strings.Contains(err.Error(), "openssl rand -base64 48") || strings.Contains(err.Error(), "\n") {
			t.Errorf("CheckSecret(%q) = %q, which does not say in one line how to make a good one", secret, err)
		}
		if len(secret) > 8 && strings.Contains(err.Error(), secret) {
			t.Errorf("CheckSecret(%q) repeats the secret: %q", secret, err)
		}
	}
}

func TestCheckSecretAcceptsRandomOnes(t *testing.T) {
	random := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		return b
	}
	for name, make := range map[string]func() string{
		"32 raw bytes":             func() string { return string(random(32)) },
		"16 bytes in hex":          func() string { return hex.EncodeToString(random(16)) },
		"32 bytes in hex":          func() string { return hex.EncodeToString(random(32)) },
		"24 bytes in base64":       func() string { return base64.StdEncoding.EncodeToString(random(24)) },
		"48 bytes in base64":       func() string { return base64.StdEncoding.EncodeToString(random(48)) },
		"a word and a random part": func() string { return "orgd-production-jwt-secret-" + rand.Text() },
		"base32":                   func() string { return rand.Text() + rand.Text() },
	} {
		t.Run(name, func(t *testing.T) {
			for range 500 {
				if s := make(); CheckSecret([]byte(s)) != nil {
					t.Fatalf("CheckSecret(%q) = %v", s, CheckSecret([]byte(s)))
				}
			}
		})
	}
}
