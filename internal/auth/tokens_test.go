package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd/internal/org"
)

var (
	noon       = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	testSecret = []byte("x7Qm2pL9vR4tY8wZ1aB5cD6eF0gH3jK_")
	testClaims = Claims{AdminID: "a1", OrgID: "o1", Role: "owner", Cred: 7}
)

func newTokens(t testing.TB, change func(*TokensConfig)) *Tokens {
	t.Helper()
	c := TokensConfig{Algorithm: "HS256", Secret: testSecret, TTL: time.Hour, Issuer: "orgd", Audience: "orgd-api",
		Now: func() time.Time { return noon }}
	if change != nil {
		change(&c)
	}
	tokens, err := NewTokens(c)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func issue(t testing.TB, tokens *Tokens) string {
	t.Helper()
	token, _, err := tokens.Issue(testClaims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTokensRoundTrip(t *testing.T) {
	for _, algorithm := range []string{"HS256", "HS384", "HS512"} {
		t.Run(algorithm, func(t *testing.T) {
			tokens := newTokens(t, func(c *TokensConfig) {
				c.Algorithm = algorithm
				c.Secret = []byte(strings.Repeat(string(testSecret), 2))
			})
			token, expires, err := tokens.Issue(testClaims)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tokens.Verify(token)
			if err != nil {
				t.Fatal(err)
			}
			want := testClaims
			want.ID, want.IssuedAt, want.Expires = got.ID, noon, noon.Add(time.Hour)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
			if !expires.Equal(want.Expires) {
				t.Errorf("expires = %v, want %v", expires, want.Expires)
			}
		})
	}
}

func TestIssueGivesEveryTokenAnIDOfItsOwn(t *testing.T) {
	tokens := newTokens(t, nil)
	seen := map[string]bool{}
	for range 1000 {
		c, err := tokens.Verify(issue(t, tokens))
		if err != nil {
			t.Fatal(err)
		}
		if len(c.ID) < 26 || seen[c.ID] {
			t.Fatalf("id %q is short or was used before", c.ID)
		}
		seen[c.ID] = true
	}
}

func TestIssueRefusesIncompleteClaims(t *testing.T) {
	for _, c := range []Claims{{}, {OrgID: "o", Role: "r"}, {AdminID: "a", Role: "r"}, {AdminID: "a", OrgID: "o"}} {
		if token, _, err := newTokens(t, nil).Issue(c); !errors.Is(err, org.Internal) || token != "" {
			t.Errorf("Issue(%+v) = %q, %v", c, token, err)
		}
	}
}

func TestVerifyHeedsTime(t *testing.T) {
	now := noon
	tokens := newTokens(t, func(c *TokensConfig) { c.Now = func() time.Time { return now } })
	token := issue(t, tokens)
	for _, c := range []struct {
		after   time.Duration
		message string
	}{
		{-Leeway - time.Second, "The token is not valid yet."},
		{-Leeway, ""},
		{0, ""},
		{time.Hour + Leeway - time.Nanosecond, ""},
		{time.Hour + Leeway, "The token has expired; log in again."},
		{10000 * time.Hour, "The token has expired; log in again."},
	} {
		now = noon.Add(c.after)
		_, err := tokens.Verify(token)
		if c.message == "" && err != nil {
			t.Errorf("after %v: %v", c.after, err)
		}
		if c.message != "" {
			wantRefused(t, err, c.message)
		}
		if expired := c.after > time.Hour+Leeway; expired && !errors.Is(err, jwt.ErrTokenExpired) {
			t.Errorf("after %v: the error %v does not hold jwt.ErrTokenExpired", c.after, err)
		}
	}
}

func wantRefused(t *testing.T, err error, message string) {
	t.Helper()
	var e *org.Error
	if !errors.As(err, &e) {
		t.Fatalf("error = %v, want an *org.Error", err)
	}
	if e.Kind != org.Unauthenticated || e.Message != message {
		t.Errorf("error = %v %q, want %v %q", e.Kind, e.Message, org.Unauthenticated, message)
	}
}

// sign makes a token of any header and claims, with the right secret.
func sign(header, claims string) string {
	text := encode(header) + "." + encode(claims)
	mac := hmac.New(sha256.New, testSecret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

const goodHeader = `{"alg":"HS256","typ":"JWT"}`

func goodClaims() map[string]any {
	return map[string]any{"iss": "orgd", "aud": "orgd-api", "sub": "a1", "iat": noon.Unix(), "nbf": noon.Unix(),
		"exp": noon.Unix() + 3600, "jti": "j1", "admin_id": "a1", "org_id": "o1", "role": "owner", "cred": 7}
}

// with returns good claims with one changed, or without it when value is missing.
func with(name string, value any) string {
	claims := goodClaims()
	claims[name] = value
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == missing })
	b, _ := json.Marshal(claims)
	return string(b)
}

var missing any = "missing"

func TestVerifyChecksEveryClaim(t *testing.T) {
	const (
		malformed = "The token is malformed."
		lacks     = "The token lacks a claim that is required here."
		notYet    = "The token is not valid yet."
		expired   = "The token has expired; log in again."
	)
	tokens := newTokens(t, nil)
	if _, err := tokens.Verify(sign(goodHeader, with("role", "owner"))); err != nil {
		t.Fatalf("good claims are refused: %v", err)
	}
	for name := range goodClaims() {
		for _, value := range []any{missing, nil, ""} {
			want := lacks
			if _, isNumber := goodClaims()[name].(int64); (isNumber || name == "cred") && value == "" {
				want = malformed
			}
			_, err := tokens.Verify(sign(goodHeader, with(name, value)))
			t.Run(name+" missing or empty", func(t *testing.T) { wantRefused(t, err, want) })
		}
	}
	for _, c := range []struct {
		name  string
		value any
		want  string
	}{
		{"iss", "other", "The token was issued by another service."},
		{"aud", "other", "The token was issued for another service."},
		{"aud", []string{"orgd-api", "other"}, malformed},
		{"sub", "a2", "The token is not valid."},
		{"exp", noon.Unix() - 60, expired},
		{"exp", 0, expired},
		{"exp", -1, expired},
		{"exp", "9999999999", malformed},
		{"exp", 1e300, malformed},
		{"exp", 1.5, malformed},
		{"exp", true, malformed},
		{"nbf", noon.Unix() + 60, notYet},
		{"iat", noon.Unix() + 60, notYet},
		{"iat", []int{1}, malformed},
		{"cred", "7", malformed},
		{"cred", 7.5, malformed},
		{"cred", json.RawMessage("9223372036854775808"), malformed},
		{"admin_id", 5, malformed},
		{"org_id", []string{"o1"}, malformed},
		{"org_id", map[string]any{"$ne": nil}, malformed},
		{"role", true, malformed},
		{"jti", 5, malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := tokens.Verify(sign(goodHeader, with(c.name, c.value)))
			wantRefused(t, err, c.want)
		})
	}
}

func TestVerifyRefusesTokensOfAnotherConfiguration(t *testing.T) {
	token := issue(t, newTokens(t, nil))
	for name, c := range map[string]struct {
		change func(*TokensConfig)
		want   string
	}{
		"secret":    {func(c *TokensConfig) { c.Secret = []byte(strings.Repeat("z", 32)) }, "The signature of the token is not valid."},
		"algorithm": {func(c *TokensConfig) { c.Algorithm = "HS512" }, "The signature of the token is not valid."},
		"issuer":    {func(c *TokensConfig) { c.Issuer = "orgd.example" }, "The token was issued by another service."},
		"audience":  {func(c *TokensConfig) { c.Audience = "other" }, "The token was issued for another service."},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newTokens(t, c.change).Verify(token)
			wantRefused(t, err, c.want)
		})
	}
}

func TestNewTokensRefusesABadConfiguration(t *testing.T) {
	good := TokensConfig{Algorithm: "HS256", Secret: testSecret, TTL: time.Hour, Issuer: "i", Audience: "a"}
	for name, change := range map[string]func(*TokensConfig){
		"no algorithm":  func(c *TokensConfig) { c.Algorithm = "" },
		"none":          func(c *TokensConfig) { c.Algorithm = "none" },
		"RS256":         func(c *TokensConfig) { c.Algorithm = "RS256" },
		"short secret":  func(c *TokensConfig) { c.Secret = testSecret[:31] },
		"no lifetime":   func(c *TokensConfig) { c.TTL = 0 },
		"past lifetime": func(c *TokensConfig) { c.TTL = -time.Hour },
		"no issuer":     func(c *TokensConfig) { c.Issuer = "" },
		"no audience":   func(c *TokensConfig) { c.Audience = "" },
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			change(&c)
			tokens, err := NewTokens(c)
			if err == nil || tokens != nil {
				t.Errorf("NewTokens = %v, %v", tokens, err)
			}
			if err != nil && strings.Contains(err.Error(), string(c.Secret)) {
				t.Errorf("the error holds the secret: %v", err)
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	tokens := newTokens(f, nil)
	f.Add(issue(f, tokens))
	f.Add(sign(`{"alg":"none"}`, `{}`))
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		_, err := tokens.Verify(token)
		if err != nil && !errors.Is(err, org.Unauthenticated) {
			t.Errorf("Verify(%q) = %v", token, err)
		}
		if err == nil && !signedByUs(token) {
			t.Errorf("Verify(%q) accepts what was signed by nobody", token)
		}
	})
}

func signedByUs(token string) bool {
	end := strings.LastIndexByte(token, '.')
	mac := hmac.New(sha256.New, testSecret)
	mac.Write([]byte(token[:end]))
	return token[end+1:] == base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func BenchmarkTokensVerify(b *testing.B) {
	tokens := newTokens(b, nil)
	token := issue(b, tokens)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Verify(token); err != nil {
			b.Fatal(err)
		}
	}
}
