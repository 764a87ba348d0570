package app

import (
	"strings"
	"testing"
)

func TestMisspelledVariablesOfTheEnvironment(t *testing.T) {
	for env, want := range map[string]string{
		"JWT_SECERT=x":               "JWT_SECERT: orgd has no such variable; did you mean JWT_SECRET?",
		"jwt_secret=x":               "jwt_secret: orgd has no such variable; did you mean JWT_SECRET?",
		"BCRYPT_COSTS=5":             "did you mean BCRYPT_COST?",
		"RATE_LIMIT_SIGN_UP=5":       "did you mean RATE_LIMIT_SIGNUP?",
		"MONGO_URL=mongodb://h":      "did you mean MONGO_URI?",
		"MONGODB_URI=mongodb://h":    "did you mean MONGO_URI?",
		"OPERATOR_KEYS=x":            "did you mean OPERATOR_KEY?",
		"MASTER_DBNAME=x":            "did you mean MASTER_DB_NAME?",
		"TRUSTED_PROXY=x":            "",
		"TRUSTED_PROXYS=x":           "did you mean TRUSTED_PROXIES?",
		"MONGO_URL=x MONGO_URI=":     "", // ours is there, so theirs is another program's
		"JWT_SECRET_KEY=x":           "", // too far away
		"JWT_ISSUER=x":               "",
		"DATA_DIRS=x":                "", // programs share that beginning
		"XDG_DATA_DIR=x":             "",
		"LOG_LEVELS=x LISTEN_ADDRS=": "",
		"RATE_LIMIT=5":               "",
		"MONGO_PORT=tcp://1.2.3.4:1": "",
		"MONGO_SERVICE_HOST=1.2.3.4": "",
	} {
		_, err := Load(strings.Split(env, " "), "")
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", env, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: error %v, want %q", env, err, want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "acb", 1},
		{"abc", "bc", 1}, {"abc", "xabc", 1}, {"SECERT", "SECRET", 1}, {"kitten", "sitting", 3},
	} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := editDistance(c.b, c.a); got != c.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
