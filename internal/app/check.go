package app

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/orgd/orgd/internal/auth"
)

// checks are the rules that tags do not express. A check gets the value as the user wrote
// it; its error does not contain the value of a secret.
var checks = map[string]func(value string) error{
	"MONGO_URI":      checkMongoURI,
	"MASTER_DB_NAME": checkDBName,
	"TENANT_DB_NAME": checkDBName,
	"JWT_SECRET":     func(value string) error { return auth.CheckSecret([]byte(value)) },
	"OPERATOR_KEY":   checkOperatorKey,
	"LISTEN_ADDR":    checkListenAddr,
}

// check applies the rules for one variable. Value is what text was parsed to.
func check(field reflect.StructField, value reflect.Value, text string) error {
	switch v := value.Interface().(type) {
	case int:
		least, _ := strconv.Atoi(field.Tag.Get("min"))
		most, _ := strconv.Atoi(field.Tag.Get("max"))
		// parse takes 010 for 8, and 0x10 for 16.
		if strconv.Itoa(v) != text {
			return fmt.Errorf("%s is not a whole number in decimal digits", quote(text))
		}
		if v < least || v > most {
			return fmt.Errorf("%s is out of bounds", text)
		}
	case time.Duration:
		least, _ := time.ParseDuration(field.Tag.Get("min"))
		most, _ := time.ParseDuration(field.Tag.Get("max"))
		if v < least || v > most {
			return fmt.Errorf("%s is out of bounds", quote(text))
		}
	}
	if f := checks[field.Tag.Get("envconfig")]; f != nil {
		return f(text)
	}
	return nil
}

// allowed says in words what a variable may be.
func allowed(field reflect.StructField) string {
	switch get := field.Tag.Get; {
	case get("oneof") != "":
		return strings.ReplaceAll(get("oneof"), " ", ", ")
	case get("min") != "":
		return get("min") + " to " + get("max")
	default:
		return get("allowed")
	}
}

// checkTogether applies the rules between variables, unless one of them was refused.
func (c *Config) checkTogether(refused map[string]bool) []error {
	var problems []error
	if c.MongoURI.IsSet() && !c.JWTSecret.IsSet() && !refused["JWT_SECRET"] {
		problems = append(problems, fmt.Errorf("JWT_SECRET: is required when MONGO_URI is set, as all servers on one database must share it; %w",
			auth.CheckSecret(nil)))
	}
	if strings.EqualFold(c.MasterDBName, c.TenantDBName) && !refused["MASTER_DB_NAME"] {
		problems = append(problems, fmt.Errorf("TENANT_DB_NAME: %s is MASTER_DB_NAME, apart from upper and lower case; "+
			"allowed: another name, since metadata and tenant data are kept apart", quote(c.TenantDBName)))
	}
	return problems
}

// checkDBName applies docdb's rule for database names, which every server accepts:
// a name that docdb refuses would stop every operation half-way.
func checkDBName(name string) error {
	switch i := strings.IndexAny(name, "/\\. \"$*<>:|?"); {
	case len(name) > 63:
		return fmt.Errorf("%s has %d bytes", quote(name), len(name))
	case i >= 0:
		return fmt.Errorf("%s holds %q", quote(name), name[i])
	case !utf8.ValidString(name), strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%s holds a control character, or is not UTF-8", quote(name))
	case strings.Trim(name, dbNameCharacters) != "":
		return fmt.Errorf("%s holds other characters than ASCII letters, digits, _ and -", quote(name))
	case slices.Contains([]string{"admin", "local", "config"}, strings.ToLower(name)):
		return fmt.Errorf("%s is a database of MongoDB itself", quote(name))
	}
	return nil
}

const dbNameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

func checkOperatorKey(key string) error {
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("holds a space, a control character or one outside ASCII, which cannot be sent in a header")
	}
	return auth.CheckSecret([]byte(key))
}

func checkListenAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s is not an address with a port", quote(addr))
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%s does not end in a port from 0 to 65535", quote(addr))
	}
	if strings.ContainsAny(host, " \t/@") {
		return fmt.Errorf("%s does not begin with a host name or an IP address", quote(addr))
	}
	return nil
}

// Warnings returns a line for the log for each setting that is allowed and hardly meant.
func (c Config) Warnings() []string {
	var all []string
	if c.BcryptCost < 10 {
		all = append(all, fmt.Sprintf("BCRYPT_COST is %d: hashes that cheap are for tests; use 10 or more", c.BcryptCost))
	}
	hashBytes := map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}[c.JWTAlgorithm]
	if n := len(c.JWTSecret.Reveal()); n > 0 && n < hashBytes {
		all = append(all, fmt.Sprintf("JWT_SECRET has %d bytes: RFC 7518 wants %d or more for %s", n, hashBytes, c.JWTAlgorithm))
	}
	if c.AcceptDataLoss {
		all = append(all, "ACCEPT_DATA_LOSS is true: take it away after one start, or the next loss is accepted unseen")
	}
	for _, p := range c.TrustedProxies {
		if p.Bits() == 0 {
			all = append(all, fmt.Sprintf("TRUSTED_PROXIES holds %v: every client can then pretend to have any address", p))
		}
	}
	return all
}
