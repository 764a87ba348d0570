package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const (
	goodSecret = "q0Z8mFvT3rYx6LkS1nWb9PdJ4hGc7AeU2iXo5Rt" // no words, nothing published
	goodKey    = "Vt7_kQ2.rZ9-pX4~mB6+wN1/cL8=hD3yS5gF0jA"
)

// compareConfigs compares what people can see, and where it is from.
var compareConfigs = cmp.Options{
	cmp.Comparer(func(a, b Secret) bool { return a.Reveal() == b.Reveal() }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmpopts.IgnoreUnexported(Config{}),
}

func defaults() Config {
	return Config{
		MasterDBName: "master_db", TenantDBName: "tenant_db", JWTAlgorithm: "HS256", JWTExpMinutes: 60,
		ListenAddr: "127.0.0.1:8000", DataDir: "./data", MinFreeSpace: 128, BcryptCost: 12, RateLimitSignup: 60, RateLimitLogin: 60,
		RateLimitLookup: 60000, RateLimitMove: 600, MaxMoves: 16, MaxOrganizations: 100000, MaxIdempotencyKeys: 1000000,
		LogLevel: slog.LevelInfo, LogFormat: "text", MemoryBudget: 256, QueryTimeout: 10 * time.Second, ShutdownTimeout: 10 * time.Second,
	}
}

func TestLoadDefaults(t *testing.T) {
	got, err := Load(nil, filepath.Join(t.TempDir(), ".env"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaults(), got, compareConfigs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !got.Embedded() || got.TokenTTL() != time.Hour || len(got.Warnings()) != 0 {
		t.Errorf("Embedded %v, TokenTTL %v, Warnings %q", got.Embedded(), got.TokenTTL(), got.Warnings())
	}
}

func TestLoadReadsEveryVariable(t *testing.T) {
	got, err := Load([]string{
		"MONGO_URI=mongodb://u:p@h:27017", "MASTER_DB_NAME=m", "TENANT_DB_NAME=t", "JWT_SECRET=" + goodSecret,
		"JWT_ALGORITHM=hs512", "JWT_EXP_MINUTES=43200", "LISTEN_ADDR=:0", "DATA_DIR=/var/lib/orgd", "MIN_FREE_SPACE=16", "ACCEPT_DATA_LOSS=true", "BCRYPT_COST= 10 ",
		"OPERATOR_KEY=" + goodKey, "RATE_LIMIT_SIGNUP=0", "RATE_LIMIT_LOGIN=100000", "RATE_LIMIT_ORGANIZATION=600",
		"RATE_LIMIT_SIGNUP_TOTAL=1000", "RATE_LIMIT_LOOKUP=0", "RATE_LIMIT_MOVE=7", "MAX_MOVES=2", "MAX_ORGANIZATIONS=50", "MAX_IDEMPOTENCY_KEYS=9",
		"TRUSTED_PROXIES=10.1.2.3/8, 192.0.2.1,2001:db8::/32,::ffff:192.0.2.2", "LOG_LEVEL=WARN", "LOG_FORMAT=json", "DELETE_GRACE=720h", "MOVE_GRACE=90s",
		"MEMORY_BUDGET=512", "MAX_CONNECTIONS=500", "MAX_CONNECTIONS_PER_ADDRESS=50", "QUERY_TIMEOUT=2s", "SHUTDOWN_TIMEOUT=1m30s", "PATH=/bin", "=C:=C:\\", "noise",
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		MongoURI: NewSecret("mongodb://u:p@h:27017"), MasterDBName: "m", TenantDBName: "t", JWTSecret: NewSecret(goodSecret),
		JWTAlgorithm: "HS512", JWTExpMinutes: 43200, ListenAddr: ":0", DataDir: "/var/lib/orgd", MinFreeSpace: 16, AcceptDataLoss: true, BcryptCost: 10,
		OperatorKey: NewSecret(goodKey), RateLimitLogin: 100000, RateLimitOrganization: 600,
		RateLimitSignupTotal: 1000, RateLimitMove: 7, MaxMoves: 2, MaxOrganizations: 50, MaxIdempotencyKeys: 9, DeleteGrace: 720 * time.Hour, MoveGrace: 90 * time.Second,
		TrustedProxies: Prefixes{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32"),
			netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("192.0.2.2/32")},
		LogLevel: slog.LevelWarn, LogFormat: "json", MemoryBudget: 512, MaxConnections: 500, MaxConnectionsAddress: 50, QueryTimeout: 2 * time.Second, ShutdownTimeout: 90 * time.Second,
	}
	if diff := cmp.Diff(want, got, compareConfigs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoadRefuses(t *testing.T) {
	strong := "JWT_SECRET=" + goodSecret
	for _, c := range []struct {
		env  string // variables separated by blanks
		want string
	}{
		{"JWT_EXP_MINUTES=abc", `JWT_EXP_MINUTES: "abc" is not a whole number; allowed: 1 to 43200`},
		{"JWT_EXP_MINUTES=0", "JWT_EXP_MINUTES: 0 is out of bounds; allowed: 1 to 43200"},
		{"JWT_EXP_MINUTES=43201", "JWT_EXP_MINUTES: 43201 is out of bounds; allowed: 1 to 43200"},
		{"JWT_EXP_MINUTES=-5", "JWT_EXP_MINUTES: -5 is out of bounds; allowed: 1 to 43200"},
		{"JWT_EXP_MINUTES=1.5", `JWT_EXP_MINUTES: "1.5" is not a whole number; allowed: 1 to 43200`},
		{"JWT_EXP_MINUTES=060", `JWT_EXP_MINUTES: "060" is not a whole number in decimal digits; allowed: 1 to 43200`},
		{"JWT_EXP_MINUTES=0x3c", `JWT_EXP_MINUTES: "0x3c" is not a whole number in decimal digits; allowed: 1 to 43200`},
		{"JWT_EXP_MINUTES=99999999999999999999", `JWT_EXP_MINUTES: "99999999999999999999" is not a whole number; allowed: 1 to 43200`},
		{"JWT_ALGORITHM=none", `JWT_ALGORITHM: "none" is not one of the values there are; allowed: HS256, HS384, HS512`},
		{"JWT_ALGORITHM=RS256", `JWT_ALGORITHM: "RS256" is not one of the values there are; allowed: HS256, HS384, HS512`},
		{"BCRYPT_COST=3", "BCRYPT_COST: 3 is out of bounds; allowed: 4 to 16"},
		{"BCRYPT_COST=17", "BCRYPT_COST: 17 is out of bounds; allowed: 4 to 16"},
		{"RATE_LIMIT_LOGIN=-1", "RATE_LIMIT_LOGIN: -1 is out of bounds; allowed: 0 to 100000"},
		{"RATE_LIMIT_SIGNUP=100001", "RATE_LIMIT_SIGNUP: 100001 is out of bounds; allowed: 0 to 100000"},
		{"LOG_LEVEL=info+1", `LOG_LEVEL: "info+1" is not one of the values there are; allowed: debug, info, warn, error`},
		{"LOG_LEVEL=trace", `LOG_LEVEL: "trace" is not one of the values there are; allowed: debug, info, warn, error`},
		{"LOG_FORMAT=xml", `LOG_FORMAT: "xml" is not one of the values there are; allowed: text, json`},
		{"DELETE_GRACE=721h", `DELETE_GRACE: "721h" is out of bounds; allowed: 0s to 720h`},
		{"MOVE_GRACE=-1s", `MOVE_GRACE: "-1s" is out of bounds; allowed: 0s to 720h`},
		{"SHUTDOWN_TIMEOUT=10", `SHUTDOWN_TIMEOUT: "10" is not a duration such as 10s; allowed: 1s to 10m`},
		{"SHUTDOWN_TIMEOUT=1h", `SHUTDOWN_TIMEOUT: "1h" is out of bounds; allowed: 1s to 10m`},
		{"SHUTDOWN_TIMEOUT=0s", `SHUTDOWN_TIMEOUT: "0s" is out of bounds; allowed: 1s to 10m`},
		{"LISTEN_ADDR=8000", `LISTEN_ADDR: "8000" is not an address with a port; allowed: host:port, or :port for all addresses; port 0 takes a free one`},
		{"LISTEN_ADDR=localhost:http", `LISTEN_ADDR: "localhost:http" does not end in a port from 0 to 65535`},
		{"LISTEN_ADDR=:65536", `LISTEN_ADDR: ":65536" does not end in a port from 0 to 65535`},
		{"LISTEN_ADDR=http://localhost:80", `LISTEN_ADDR: "http://localhost:80" is not an address with a port`},
		{"TRUSTED_PROXIES=10.0.0.0/33", `TRUSTED_PROXIES: holds "10.0.0.0/33", which is neither an IP address nor a network; allowed: IP addresses and`},
		{"TRUSTED_PROXIES=10.0.0.1,,10.0.0.2", `TRUSTED_PROXIES: holds "", which is neither`},
		{"TRUSTED_PROXIES=*", `TRUSTED_PROXIES: holds "*", which is neither`},
		{"TRUSTED_PROXIES=fe80::1%eth0", `TRUSTED_PROXIES: holds "fe80::1%eth0", which is neither`},
		{"MASTER_DB_NAME=a/b", `MASTER_DB_NAME: "a/b" holds '/'; allowed: 1 to 63 bytes`},
		{"MASTER_DB_NAME=a.b", `MASTER_DB_NAME: "a.b" holds '.'`},
		{"TENANT_DB_NAME=$a", `TENANT_DB_NAME: "$a" holds '$'`},
		{"TENANT_DB_NAME=a\x01b", "TENANT_DB_NAME: \"a\\x01b\" holds a control character"},
		{"TENANT_DB_NAME=a\xffb", "TENANT_DB_NAME: \"a\\xffb\" holds a control character, or is not UTF-8"},
		{"MASTER_DB_NAME=Admin", `MASTER_DB_NAME: "Admin" is a database of MongoDB itself`},
		{"MASTER_DB_NAME=" + strings.Repeat("x", 64), "MASTER_DB_NAME: \"" + strings.Repeat("x", 60) + "…\" has 64 bytes"},
		{"MASTER_DB_NAME=Same TENANT_DB_NAME=sAME", `TENANT_DB_NAME: "sAME" is MASTER_DB_NAME, apart from upper and lower case`},
		{"MASTER_DB_NAME=Tenant_DB", `TENANT_DB_NAME: "tenant_db" is MASTER_DB_NAME, apart from`},
		{"JWT_SECRET=secret", "JWT_SECRET: has 6 bytes, and needs 32 or more; make a good one with: openssl rand -base64 48; allowed: 32 random bytes or more"},
		{"JWT_SECRET=your_jwt_secret_key_here_change_it_in_production", "JWT_SECRET: is made of words that stand for a secret; make"},
		{"OPERATOR_KEY=short", "OPERATOR_KEY: has 5 bytes, and needs 32 or more; make"},
		{"OPERATOR_KEY=" + goodKey + "\n", "OPERATOR_KEY: holds a space, a control character or one outside ASCII, which cannot be sent in a header"},
		{"MONGO_URI=mongodb://h", "JWT_SECRET: is required when MONGO_URI is set, as all servers on one database must share it; is missing; make a good one with: openssl rand -base64 48"},
		{"MONGO_URI=mongodb://h JWT_SECRET=", "JWT_SECRET: is required when MONGO_URI is set"},
		{"MONGO_URI=mongodb://h JWT_SECRET=weak", "JWT_SECRET: has 4 bytes"},
		{"MONGO_URI=localhost:27017 " + strong, "MONGO_URI: does not begin with mongodb:// or mongodb+srv://; allowed: mongodb://host[:port]"},
		{"MONGO_URI=mongodb://u:p/w@h " + strong, "MONGO_URI: has an @ behind the hosts: a / or ? in the user name or password must be percent-encoded; allowed"},
		{"MONGO_URI=mongodb:// " + strong, "MONGO_URI: does not name its hosts"},
	} {
		t.Run(c.env, func(t *testing.T) {
			got, err := Load(strings.Split(c.env, " "), "")
			if err == nil {
				t.Fatal("it is accepted")
			}
			if !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error\n%s\nwant one line that begins with\n%s", err, c.want)
			}
			if diff := cmp.Diff(Config{}, got, compareConfigs); diff != "" {
				t.Errorf("a configuration beside the error:\n%s", diff)
			}
		})
	}
}

func TestLoadReportsEverythingAtOnce(t *testing.T) {
	path := writeDotenv(t, "JWT_EXP_MINUTES=x\nJWT_EXPIRE=5\n")
	_, err := Load([]string{"BCRYPT_COST=99", "MONGO_URI=mongodb://h", "RATE_LIMIT_LOGINS=5", "MASTER_DB_NAME=x/y"}, path)
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		`MASTER_DB_NAME: "x/y" holds '/'`,
		`JWT_EXP_MINUTES in ` + path + `: "x" is not a whole number`,
		`BCRYPT_COST: 99 is out of bounds`,
		`JWT_SECRET: is required`,
		`JWT_EXPIRE in ` + path + `: orgd has no such variable`,
		`RATE_LIMIT_LOGINS: orgd has no such variable; did you mean RATE_LIMIT_LOGIN?`,
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%v", len(lines), len(want), err)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, want[i]) {
			t.Errorf("line %d is\n%s\nwant\n%s", i, line, want[i])
		}
	}
}

func TestConfigWarnings(t *testing.T) {
	for env, want := range map[string]string{
		"BCRYPT_COST=9":                                          "BCRYPT_COST is 9",
		"BCRYPT_COST=10":                                         "",
		"TRUSTED_PROXIES=0.0.0.0/0":                              "TRUSTED_PROXIES holds 0.0.0.0/0",
		"TRUSTED_PROXIES=::/0":                                   "TRUSTED_PROXIES holds ::/0",
		"JWT_ALGORITHM=HS512 JWT_SECRET=" + goodSecret:           "JWT_SECRET has 39 bytes: RFC 7518 wants 64 or more for HS512",
		"JWT_ALGORITHM=HS256 JWT_SECRET=" + goodSecret:           "",
		"JWT_ALGORITHM=HS512 RATE_LIMIT_LOGIN=0":                 "",
		"JWT_ALGORITHM=HS512 JWT_SECRET=" + goodSecret + goodKey: "",
	} {
		c, err := Load(strings.Split(env, " "), "")
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(c.Warnings(), "\n")
		if (got == "") != (want == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%s: warnings %q, want %q", env, got, want)
		}
	}
}

// Every way to show a Config and everything that Load can say, with secrets planted.
func TestSecretsAreNeverShown(t *testing.T) {
	const mark = "PLANTED"
	secret, key := goodSecret+mark, goodKey+mark
	uri := "mongodb://user:" + mark + "@h/?tlsCertificateKeyFilePassword=" + mark
	c, err := Load([]string{"MONGO_URI=" + uri, "JWT_SECRET=" + secret, "OPERATOR_KEY=" + key}, "")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c.Describe(&out)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%t", "%08.3f"} {
		fmt.Fprintf(&out, verb+"\n", c)
		fmt.Fprintf(&out, verb+"\n", c.JWTSecret)
		fmt.Fprintf(&out, verb+"\n", &c.MongoURI)
		fmt.Fprintf(&out, verb+"\n", struct{ hidden Config }{c})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "config", c, "secret", c.JWTSecret)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "config", c, "secret", c.JWTSecret)
	if err := json.NewEncoder(&out).Encode(c); err != nil {
		t.Fatal(err)
	}
	for _, env := range []string{
		"MONGO_URI=" + mark, "MONGO_URI=mongodb://u:" + mark + "/@h", "MONGO_URI=mongodb://h:" + mark,
		"JWT_SECRET=" + mark, "JWT_SECRET=" + strings.Repeat(mark, 9), "OPERATOR_KEY=" + mark, "OPERATOR_KEY=" + goodKey + " " + mark,
	} {
		_, err := Load([]string{env}, "")
		fmt.Fprintln(&out, err)
	}
	for _, file := range []string{
		"JWT_SECRET=" + goodSecret + "\n" + mark + "\n", // wrapped
		"JWT_SECRET=" + goodSecret + "\n" + mark + "abc==\n",
		"JWT_SECRET " + mark, "JWT_SECRET " + mark + "=x", "JWT_SECRET-" + mark + "=x", "JWT_SECRET='" + mark, "JWT_SECRET=\"a$" + mark + "b\"",
		"JWT_SECRET=" + mark, "MONGO_URI=mongodb://u:" + mark + "@", "=" + mark, "JWT_SECRETS=" + mark,
	} {
		_, err := Load(nil, writeDotenv(t, file))
		if err == nil {
			t.Errorf("a file of %q is accepted", file)
		}
		fmt.Fprintln(&out, err)
	}
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, mark) || strings.Contains(line, fmt.Sprintf("%x", mark)) || strings.Contains(line, goodSecret) {
			t.Errorf("a secret is shown: %s", line)
		}
	}
	if !strings.Contains(out.String(), "set (46 bytes)") || !strings.Contains(out.String(), "mongodb://user:***@h") {
		t.Errorf("what is set is not said:\n%s", out.String())
	}
}

func writeDotenv(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
