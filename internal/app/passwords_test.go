package app_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPasswordsAreLimitedInBytes(t *testing.T) {
	t.Parallel()
	w := start(t)
	auth := w.account("Globex").auth
	for name, c := range map[string]struct {
		password string
		status   int
		code     string
	}{
		"72 bytes":              {strings.Repeat("p", 72), 201, ""},
		"73 bytes":              {strings.Repeat("p", 73), 400, "malformed"},
		"36 letters of 2 bytes": {strings.Repeat("é", 36), 201, ""},
		"37 letters of 2 bytes": {strings.Repeat("é", 37), 422, "invalid"},
		"18 letters of 4 bytes": {strings.Repeat("🐎", 18), 201, ""},
		"19 letters of 4 bytes": {strings.Repeat("🐎", 19), 422, "invalid"},
		"8 letters":             {"passw0rd", 201, ""},
		"7 letters":             {"passw0r", 400, "malformed"},
		"7 letters of 2 bytes":  {strings.Repeat("é", 7), 400, "malformed"},
		"a NUL":                 {"password\x00password", 400, "malformed"},
		"only NULs":             {strings.Repeat("\x00", 8), 400, "malformed"},
		"white space and controls and other bytes": {" \t\n pass\u202e \x7f", 201, ""},
	} {
		t.Run(name, func(t *testing.T) {
			email := newEmail()
			a := w.signUp("Org of "+name, email, c.password)
			if a.is(c.status, strings.Fields(c.code)...); c.status != 201 {
				a.blames("#/password")
				w.do("PUT", "/org/update", object("password", c.password), auth).is(c.status, c.code).blames("#/password")
				return
			}
			w.login(email, c.password).is(200)
			if len(c.password) == 72 { // what bcrypt would not look at
				w.login(email, c.password+"x").is(401, "bad_credentials")
			}
		})
	}
	// bcrypt would take this for the same: it repeats a password, closed by a NUL.
	email := newEmail()
	w.signUp("Org of nobody", email, "staple88").is(201)
	w.login(email, "staple88\x00staple88").is(401, "bad_credentials")
	w.login(email, "Staple88").is(401, "bad_credentials")
	w.login(email, "staple88 ").is(401, "bad_credentials")
	w.login(email, "s").is(401, "bad_credentials")
	w.login(email, strings.Repeat("p", 1025)).is(400, "malformed")
}

func TestAddressesThatAreNone(t *testing.T) {
	t.Parallel()
	w := start(t)
	auth := w.account("Globex").auth
	for _, email := range []string{
		"a", "a@", "@b.example", "a b@c.example", "a@b..example", "a@b.example\n", "a@b.example\x00", "<a@b.example>", "a@b.example,c@d.example",
		"ä@b.example", "a@-b.example", strings.Repeat("a", 65) + "@b.example", "a@" + strings.Repeat("b", 64) + ".example", "a@" + strings.Repeat("b.", 130) + "c",
	} {
		w.signUp("Acme", email, password).is(400, "malformed").blames("#/email")
		w.do("PUT", "/org/update", object("email", email), auth).is(400, "malformed").blames("#/email")
		if len(email) <= 254 {
			w.login(email, password).is(401, "bad_credentials")
		}
	}
}

// Whether there is an account must not be told, neither in words nor by time: with
// each of these a hash is computed. Times are compared with each other, at a cost
// that outweighs all the rest of a request by far. The least of several counts,
// since whatever else the machine does only ever adds to one; and as many are taken
// as it needs: where one of them did no hash, more would never bring them together.
func TestAFailedLoginDoesTheSameWorkWhateverIsWrong(t *testing.T) {
	w := start(t, "BCRYPT_COST=8")
	acc, gone := w.account("Acme"), w.account("Globex")
	w.do("DELETE", "/org/delete", "", gone.auth).is(200)
	wrong := map[string][2]string{
		"a wrong password":             {acc.email, "wrong horse battery"},
		"an unknown address":           {"nobody@tenants.example", password},
		"the address of a deleted one": {gone.email, password},
		"what is no address":           {"nobody", password},
		"a password that bcrypt cuts":  {acc.email, strings.Repeat("p", 100)},
		"a password with a NUL":        {acc.email, password + "\x00"},
	}
	const enough = 30
	least, text := map[string]time.Duration{}, ""
	for range enough {
		for name, c := range wrong {
			began := time.Now()
			a := w.do("POST", "/admin/login", object("email", c[0], "password", c[1])).is(401, "bad_credentials")
			took := time.Since(began)
			if was, ok := least[name]; !ok || took < was {
				least[name] = took
			}
			said := strings.ReplaceAll(a.body, a.text("request_id"), "")
			if text != "" && said != text {
				t.Errorf("%s is told apart: %s, and not %s", name, said, text)
			}
			text = said
		}
		all := slices.Sorted(maps.Values(least))
		if all[len(all)-1] < 2*all[0] {
			return
		}
	}
	t.Errorf("they take different times: %v", least)
}
