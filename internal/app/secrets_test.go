package app_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestNothingSecretIsLoggedOrAnswered plants secrets wherever a request can carry
// one, well-formed and not, with the log at debug level. The journal looks for all of
// them in the log and in every answer when the test ends; outage_test.go adds
// a database that goes away.
func TestNothingSecretIsLoggedOrAnswered(t *testing.T) {
	t.Parallel()
	const uriPassword, operatorKey = "URI+passw0rd/for?its@user", "Vt7_kQ2.rZ9-pX4~mB6+wN1/cL8=hD3yS5gF0jA"
	uri := withUser(t, sharedMongo(t), "secrets_test", uriPassword)
	w := startMongoAt(t, uri, nil, "OPERATOR_KEY="+operatorKey)
	w.journal.keep(uriPassword, url.QueryEscape(uriPassword), url.PathEscape(uriPassword), jwtSecret, operatorKey, base64.StdEncoding.EncodeToString([]byte(jwtSecret)))

	const (
		pass  = "PLANTED-pässwörd-8"
		email = "PLANTED.address@tenants.example"
	)
	// In any case, as a whole, and its beginning alone.
	w.journal.keep(pass, email, strings.ToLower(email), "PLANTED", url.QueryEscape(pass))
	w.signUp("Acme", email, pass).is(201)
	w.signUp("Acme", email, pass).is(409, "name_taken")
	w.signUp("Globex", email, pass).is(409, "email_taken")
	auth := "Authorization: Bearer " + w.login(email, pass).is(200).text("access_token")
	token := strings.TrimPrefix(auth, "Authorization: Bearer ")
	w.journal.keep(token[:len(token)-5], strings.Split(token, ".")[1], strings.Split(token, ".")[2])
	w.login(email, pass+"x").is(401, "bad_credentials")
	w.login("other"+email, pass).is(401, "bad_credentials")

	for _, text := range []string{
		`{"password":%q}`, `{"password":[%q]}`, `{"password":{"x":%q}}`, `{"organization_name":%q,"password":7}`, `{"email":%q}`, `[%q]`, `%q`, `{"password":%q`,
		`{"password":%q,"password":"x"}`, `{"unknown":%q}`, `{"password":%q}{}`, "{\"password\":%q\x00}", `{"migrate":%q}`, "\xff%q",
	} {
		text = strings.Replace(text, "%q", `"`+strings.Repeat(pass, 5)+`"`, 1) // too long for a password
		for _, op := range bodied {
			if a := w.do(op.method, op.path, text, auth); a.status != 400 && a.status != 401 {
				t.Errorf("%s %s with %s: %d", op.method, op.path, text, a.status)
			}
		}
	}
	for _, path := range []string{
		"/org/get?organization_name=" + url.QueryEscape(pass+"\x00"), "/org/get?x=" + token, "/org/get?organization_name=%zz" + url.QueryEscape(pass),
		"/" + token, "/org/get/" + url.PathEscape(pass), "/" + url.PathEscape(email) + "?" + url.QueryEscape(pass),
	} {
		w.do("GET", path, "", auth)
	}
	for _, header := range []string{
		auth + "x", "Authorization: " + token, "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(email+":"+pass)), "Authorization: " + pass,
		"Cookie: session=" + token, "X-Api-Key: " + operatorKey, "User-Agent: " + pass, "Referer: http://x/" + token, "Content-Type: " + pass,
	} {
		w.do("PUT", "/org/update", `{"migrate":false}`, header)
		w.do("GET", getPath("Acme"), "", header)
	}
	w.do("PLANTED", "/org/get", "").is(405, "method_not_allowed")
	w.do("PUT", "/org/update", fmt.Sprintf(`{"password":%q,"email":"2%s"}`, pass+pass, email), auth).is(200)
	w.do("DELETE", "/org/delete", "", auth).is(401, "token_revoked")
	auth = "Authorization: Bearer " + w.login("2"+email, pass+pass).is(200).text("access_token")
	w.do("DELETE", "/org/delete", "", auth).is(200)
}

// The journal itself must find a secret if there is one.
func TestTheJournalFindsWhatIsLogged(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.do("GET", "/livez", "", "X-Request-Id: an-id-that-is-logged").is(200).header.Get("X-Request-Id")
	w.logLine("request_id=" + id)
	if !strings.Contains(w.journal.log(), id) || len(w.journal.answers) != 1 || !strings.Contains(w.journal.answers[0].text, id) {
		t.Errorf("neither log nor answers are followed")
	}
}
