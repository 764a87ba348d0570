package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/orgd/orgd/internal/org"
)

// Leeway is how far the clocks of two instances may differ: a token is good from
// Leeway before its iat and nbf until Leeway after its exp.
const Leeway = 5 * time.Second

// maxTokenBytes bounds what is parsed before the signature is known to be good;
// a token of ours has about 500 bytes.
const maxTokenBytes = 4096

// Claims is what a token says about its bearer. It was true when the token was
// issued: whether it still is, only the store knows.
type Claims struct {
	AdminID string
	OrgID   string
	Role    string
	// Cred is the version of the admin's credentials; the token is dead when the
	// admin has a later one.
	Cred int64
	// ID is unique to the token. Issue makes one.
	ID string
	// IssuedAt and Expires are set by Verify, to the second; Issue does not read them.
	IssuedAt time.Time
	Expires  time.Time
}

// TokensConfig is how to make a Tokens.
type TokensConfig struct {
	Algorithm string           // HS256, HS384 or HS512; the only one that is accepted
	Secret    []byte           // at least 32 bytes; see CheckSecret
	TTL       time.Duration    // how long a token is good
	Issuer    string           // iss, made and required
	Audience  string           // aud, made and required
	Now       func() time.Time // default time.Now
}

// Tokens issues and checks access tokens: signed JSON Web Tokens (RFC 7519). Every
// instance with the same configuration accepts the same tokens.
type Tokens struct {
	keys     keys
	parser   *jwt.Parser
	config   TokensConfig
	verified verified
}

// keys is what distinguishes one algorithm from another. A further algorithm needs a
// case in newKeys, and a `kid` in the header if its keys are to rotate.
type keys struct {
	method jwt.SigningMethod
	sign   any
	verify any
}

func newKeys(algorithm string, secret []byte) (keys, error) {
	switch algorithm {
	case "HS256", "HS384", "HS512":
		if len(secret) < MinSecretBytes {
			return keys{}, fmt.Errorf("the secret for %s has %d bytes; at least %d are needed", algorithm, len(secret), MinSecretBytes)
		}
		key := append([]byte(nil), secret...)
		return keys{method: jwt.GetSigningMethod(algorithm), sign: key, verify: key}, nil
	}
	return keys{}, fmt.Errorf("tokens cannot be signed with algorithm %q", algorithm)
}

// NewTokens makes a Tokens, or says what is wrong with its configuration.
func NewTokens(c TokensConfig) (*Tokens, error) {
	k, err := newKeys(c.Algorithm, c.Secret)
	if err != nil {
		return nil, err
	}
	if c.TTL < time.Second || c.Issuer == "" || c.Audience == "" {
		return nil, errors.New("tokens need an issuer, an audience, and a lifetime of a second or more")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Secret = nil
	return &Tokens{keys: k, config: c, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{c.Algorithm}),
		jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(),
		jwt.WithNotBeforeRequired(),
		jwt.WithIssuedAt(),
		jwt.WithIssuer(c.Issuer),
		jwt.WithAudience(c.Audience),
		jwt.WithLeeway(Leeway),
		jwt.WithTimeFunc(c.Now),
	)}, nil
}

// Issue returns a token that makes those claims, and when it expires.
func (t *Tokens) Issue(c Claims) (token string, expires time.Time, err error) {
	now := t.config.Now().Truncate(time.Second)
	expires = now.Add(t.config.TTL).Truncate(time.Second)
	w := wireClaims{
		Issuer: t.config.Issuer, Audience: t.config.Audience, Subject: c.AdminID,
		IssuedAt: unix(now), NotBefore: unix(now), Expires: unix(expires), ID: rand.Text(),
		AdminID: c.AdminID, OrgID: c.OrgID, Role: c.Role, Cred: &c.Cred,
	}
	if err := w.Validate(); err != nil {
		return "", time.Time{}, &org.Error{Kind: org.Internal, Err: fmt.Errorf("issue token: %w", err)}
	}
	token, err = jwt.NewWithClaims(t.keys.method, w).SignedString(t.keys.sign)
	if err != nil {
		return "", time.Time{}, &org.Error{Kind: org.Internal, Err: fmt.Errorf("sign token: %w", err)}
	}
	return token, expires, nil
}

// Verify returns the claims of a token that this configuration has issued and that
// has not expired. For any other token the error is org.Unauthenticated, and its message says
// why.
func (t *Tokens) Verify(token string) (Claims, error) {
	if token == "" {
		return Claims{}, org.Errorf(org.Unauthenticated, "The token is empty.")
	}
	if len(token) > maxTokenBytes {
		return Claims{}, org.Errorf(org.Unauthenticated, "The token is malformed: it has more than %d bytes.", maxTokenBytes)
	}
	known := sha256.Sum256([]byte(token))
	if c, ok := t.verified.find(known, t.config.Now()); ok {
		return c, nil
	}
	if !isTokenText(token) {
		return Claims{}, refused(jwt.ErrTokenMalformed)
	}
	var w wireClaims
	if _, err := t.parser.ParseWithClaims(token, &w, t.key); err != nil {
		return Claims{}, refused(err)
	}
	c := Claims{
		AdminID: w.AdminID, OrgID: w.OrgID, Role: w.Role, Cred: *w.Cred, ID: w.ID,
		IssuedAt: time.Unix(*w.IssuedAt, 0), Expires: time.Unix(*w.Expires, 0),
	}
	t.verified.remember(known, goodToken{
		claims: c, from: time.Unix(max(*w.IssuedAt, *w.NotBefore), 0).Add(-Leeway), until: c.Expires.Add(Leeway),
	})
	return c, nil
}

// key is called for a token whose algorithm is the configured one.
func (t *Tokens) key(token *jwt.Token) (any, error) {
	// RFC 7515, section 4.1.11: extensions that must be understood, and are not.
	if _, ok := token.Header["crit"]; ok {
		return nil, errors.New("the header has a crit field")
	}
	return t.keys.verify, nil
}

// isTokenText reports whether a token has only the characters of base64url, and
// dots. (The decoder would skip line ends.)
func isTokenText(token string) bool {
	for i := range len(token) {
		switch c := token[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// refusals are the answers to the parser's errors. The first that matches counts, so that
// only a token that was good is said to have expired.
var refusals = []struct {
	err     error
	message string
}{
	{jwt.ErrTokenMalformed, "The token is malformed."},
	{jwt.ErrTokenUnverifiable, "The token is not signed in a way that is accepted here."},
	{jwt.ErrTokenSignatureInvalid, "The signature of the token is not valid."},
	{jwt.ErrTokenRequiredClaimMissing, "The token lacks a claim that is required here."},
	{jwt.ErrTokenInvalidIssuer, "The token was issued by another service."},
	{jwt.ErrTokenInvalidAudience, "The token was issued for another service."},
	{jwt.ErrTokenUsedBeforeIssued, "The token is not valid yet."},
	{jwt.ErrTokenNotValidYet, "The token is not valid yet."},
	{jwt.ErrTokenExpired, "The token has expired; log in again."},
}

func refused(err error) error {
	message := "The token is not valid."
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			message = r.message
			break
		}
	}
	return &org.Error{Kind: org.Unauthenticated, Message: message, Err: err}
}
