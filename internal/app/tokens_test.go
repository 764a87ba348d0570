package app_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// claimsOf reads the claims of an account's token.
func claimsOf(t *testing.T, acc account) jwt.MapClaims {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(acc.auth, ".")[1])
	claims := jwt.MapClaims{}
	if err == nil {
		err = json.Unmarshal(raw, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

// signed is a header with a token of those claims, some of them changed; nil removes one.
func signed(t *testing.T, method jwt.SigningMethod, key any, claims jwt.MapClaims, changes jwt.MapClaims) string {
	t.Helper()
	all := maps.Clone(claims)
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	token, err := jwt.NewWithClaims(method, all).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return "Authorization: Bearer " + token
}

// refuses sends the header wherever a token is looked at.
func (w *world) refuses(name, code string, headers ...string) {
	w.t.Helper()
	for _, one := range []struct{ method, path, body string }{
		{"GET", getPath("Acme"), ""}, {"GET", getPath("Nobody"), ""}, {"PUT", "/org/update", "{}"}, {"DELETE", "/org/delete", ""},
	} {
		a := w.do(one.method, one.path, one.body, headers...)
		if a.status != 401 || a.text("code") != code {
			w.t.Errorf("%s: %s %s answers %d %s, want 401 %s", name, one.method, one.path, a.status, a.text("code"), code)
		}
		if challenge := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(challenge, `Bearer realm="orgd"`) {
			w.t.Errorf("%s: WWW-Authenticate is %q", name, challenge)
		}
	}
}

func TestBadTokensAreRefusedEverywhere(t *testing.T) {
	t.Parallel()
	w := start(t)
	acc := w.account("Acme")
	good, claims, now := []byte(jwtSecret), claimsOf(t, acc), time.Now().Unix()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	hs256 := func(changes jwt.MapClaims) string { return signed(t, jwt.SigningMethodHS256, good, claims, changes) }
	w.do("GET", getPath("Acme"), "", hs256(nil)).is(200).hasExactly(organizationKeys) // the forgery is good, but for what follows

	for name, header := range map[string]string{
		"algorithm none":         signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims, nil),
		"another algorithm":      signed(t, jwt.SigningMethodHS384, good, claims, nil),
		"HS512":                  signed(t, jwt.SigningMethodHS512, good, claims, nil),
		"an RSA signature":       signed(t, jwt.SigningMethodRS256, rsaKey, claims, nil),
		"another key":            signed(t, jwt.SigningMethodHS256, []byte(jwtSecret+"x"), claims, nil),
		"an empty key":           signed(t, jwt.SigningMethodHS256, []byte{}, claims, nil),
		"expired":                hs256(jwt.MapClaims{"exp": now - 60}),
		"without an expiry":      hs256(jwt.MapClaims{"exp": nil}),
		"not good yet":           hs256(jwt.MapClaims{"nbf": now + 3600}),
		"without a beginning":    hs256(jwt.MapClaims{"nbf": nil}),
		"issued in the future":   hs256(jwt.MapClaims{"iat": now + 3600}),
		"another issuer":         hs256(jwt.MapClaims{"iss": "other"}),
		"no issuer":              hs256(jwt.MapClaims{"iss": nil}),
		"another audience":       hs256(jwt.MapClaims{"aud": "other"}),
		"no audience":            hs256(jwt.MapClaims{"aud": nil}),
		"no admin":               hs256(jwt.MapClaims{"admin_id": nil}),
		"no organization":        hs256(jwt.MapClaims{"org_id": nil}),
		"no credential":          hs256(jwt.MapClaims{"cred": nil}),
		"a credential as text":   hs256(jwt.MapClaims{"cred": "1"}),
		"another subject":        hs256(jwt.MapClaims{"sub": "other"}),
		"times as text":          hs256(jwt.MapClaims{"exp": "2099-01-01"}),
		"cut off":                acc.auth[:len(acc.auth)-3],
		"cut off at the dot":     acc.auth[:strings.LastIndex(acc.auth, ".")],
		"with an empty end":      acc.auth[:strings.LastIndex(acc.auth, ".")+1],
		"longer":                 acc.auth + "A",
		"with a fourth part":     acc.auth + ".eA",
		"with padding":           acc.auth + "=",
		"with another payload":   tampered(t, acc.auth),
		"empty":                  "Authorization: Bearer",
		"only blanks":            "Authorization: Bearer  ",
		"no token at all":        "Authorization: ",
		"not a token":            "Authorization: Bearer x",
		"dots":                   "Authorization: Bearer ..",
		"very long":              "Authorization: Bearer " + strings.Repeat("a", 20_000),
		"basic":                  "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(acc.email+":"+acc.password)),
		"a scheme of ours alone": "Authorization: Token " + strings.TrimPrefix(acc.auth, "Authorization: Bearer "),
		"the token without more": "Authorization: " + strings.TrimPrefix(acc.auth, "Authorization: Bearer "),
	} {
		w.refuses(name, "unauthenticated", header)
	}
	w.refuses("two headers", "unauthenticated", acc.auth, acc.auth)
	w.refuses("a list of two", "unauthenticated", acc.auth+", Bearer x")
	w.do("PUT", "/org/update", "{}").is(401, "unauthenticated")
	w.do("DELETE", "/org/delete", "").is(401, "unauthenticated")
	w.do("PUT", "/org/update?access_token="+strings.Fields(acc.auth)[2], "{}").is(401, "unauthenticated")

	for name, header := range map[string]string{
		"a scheme in small letters": strings.Replace(acc.auth, "Bearer", "bearer", 1),
		"a scheme in capitals":      strings.Replace(acc.auth, "Bearer", "BEARER", 1),
		"two blanks":                strings.Replace(acc.auth, "Bearer ", "Bearer  ", 1),
	} {
		if a := w.do("GET", getPath("Acme"), "", header); a.status != 200 || a.text("admin_id") == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// tampered is the token with another credential in its payload and its old signature.
func tampered(t *testing.T, header string) string {
	t.Helper()
	parts := strings.Split(header, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), `"cred":1`, `"cred":2`, 1)))
	return strings.Join(parts, ".")
}

// Signed well, and yet not so any more, or never so.
func TestTokensThatTheStorageDoesNotConfirmAreRefused(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, w *world) {
		w.longOnMongoDB()
		acme, globex := w.account("Acme"), w.account("Globex")
		claims := claimsOf(t, acme)
		for name, changes := range map[string]jwt.MapClaims{
			"another organization's admin": {"admin_id": globex.adminID, "sub": globex.adminID},
			"another organization":         {"org_id": globex.id},
			"an admin that is not there":   {"admin_id": uuid.NewString()},
			"ids that are no ids":          {"admin_id": "$ne", "sub": "$ne", "org_id": "*"},
			"an older credential":          {"cred": 0},
			"a later credential":           {"cred": 2},
		} {
			if id, ok := changes["admin_id"]; ok {
				changes["sub"] = id
			}
			w.refuses(name, "token_revoked", signed(t, jwt.SigningMethodHS256, []byte(jwtSecret), claims, changes))
		}
		w.do("DELETE", "/org/delete", "", globex.auth).is(200)
		w.refuses("a deleted organization", "token_revoked", globex.auth)
		// Its successor of the same name and address is another organization.
		w.signUp("Globex", globex.email, password).is(201)
		w.refuses("a deleted organization whose name is taken again", "token_revoked", globex.auth)
	})
}

// Rotation and deletion end tokens on the next request, on every server.
func TestATokenDiesOnEveryServerAtOnce(t *testing.T) {
	t.Parallel()
	one := startMongo(t)
	two := one.another()
	for i, end := range []func(acc account){
		func(acc account) {
			one.journal.keep("staple gun and a horse")
			one.do("PUT", "/org/update", `{"password":"staple gun and a horse","migrate":false}`, acc.auth).is(200)
		},
		func(acc account) { one.do("PUT", "/org/update", object("email", newEmail()), acc.auth).is(200) },
		func(acc account) { one.do("DELETE", "/org/delete", "", acc.auth).is(200) },
	} {
		acc := one.account(fmt.Sprint("Acme ", i))
		two.do("GET", getPath(acc.name), "", acc.auth).is(200).hasExactly(organizationKeys)
		end(acc)
		two.refuses("through the other server", "token_revoked", acc.auth)
		one.refuses("through the same server", "token_revoked", acc.auth)
	}
}
