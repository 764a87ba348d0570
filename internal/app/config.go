package app

import (
	"encoding"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

// Config is the configuration of a server. Its fields are the variables that Load
// reads, and their tags are the one place where name, default, bounds and description
// of a variable are written down:
//
//	envconfig  the variable
//	default    the value when the variable is not set, or empty
//	min, max   bounds of a number or a duration
//	oneof      the values there are; upper and lower case do not matter
//	allowed    the rule in words, where the tags above do not say it; see checks
//	unset      what takes effect when there is neither value nor default
//	desc       what it does
type Config struct {
	MongoURI              Secret        `envconfig:"MONGO_URI" unset:"embedded engine" allowed:"mongodb://host[:port],…/… or mongodb+srv://host/…, with special characters in user and password percent-encoded" desc:"MongoDB that keeps everything; not set: the embedded engine in DATA_DIR"`
	MasterDBName          string        `envconfig:"MASTER_DB_NAME" default:"master_db" allowed:"1 to 63 bytes: ASCII letters, digits, _ and -" desc:"database of the metadata: organizations, admins, operations"`
	TenantDBName          string        `envconfig:"TENANT_DB_NAME" default:"tenant_db" allowed:"as for MASTER_DB_NAME, and another name than that" desc:"database of the organizations' own collections"`
	JWTSecret             Secret        `envconfig:"JWT_SECRET" unset:"made once, kept in DATA_DIR" allowed:"32 random bytes or more" desc:"secret that signs tokens; required with MONGO_URI"`
	JWTAlgorithm          string        `envconfig:"JWT_ALGORITHM" default:"HS256" oneof:"HS256 HS384 HS512" desc:"algorithm that signs tokens; no other is accepted"`
	JWTExpMinutes         int           `envconfig:"JWT_EXP_MINUTES" default:"60" min:"1" max:"43200" desc:"minutes until a token expires"`
	ListenAddr            string        `envconfig:"LISTEN_ADDR" default:"127.0.0.1:8000" allowed:"host:port, or :port for all addresses; port 0 takes a free one" desc:"address to serve HTTP on"`
	DataDir               string        `envconfig:"DATA_DIR" default:"./data" allowed:"a directory" desc:"directory of the embedded engine and of the secret that orgd makes"`
	MinFreeSpace          int           `envconfig:"MIN_FREE_SPACE" default:"128" min:"16" max:"1048576" desc:"MiB that have to stay free on the disk of DATA_DIR: what would take them is refused with 503 storage_full; a fourth of it is put by besides"`
	AcceptDataLoss        bool          `envconfig:"ACCEPT_DATA_LOSS" default:"false" oneof:"true false" desc:"whether to start on a DATA_DIR whose log has lost writes that were acknowledged, without them; for one start, where there is no backup"`
	BcryptCost            int           `envconfig:"BCRYPT_COST" default:"12" min:"4" max:"16" desc:"cost of password hashes, each step doubles it; less than 10 is for tests only"`
	OperatorKey           Secret        `envconfig:"OPERATOR_KEY" unset:"no operator plane" allowed:"32 random bytes or more, visible ASCII characters only" desc:"key of the operator plane, which answers 404 without it"`
	RateLimitSignup       int           `envconfig:"RATE_LIMIT_SIGNUP" default:"60" min:"0" max:"100000" desc:"sign-ups a minute, for each client address and each e-mail; 0: no limit"`
	RateLimitSignupTotal  int           `envconfig:"RATE_LIMIT_SIGNUP_TOTAL" unset:"ten times RATE_LIMIT_SIGNUP" min:"1" max:"1000000" desc:"sign-ups a minute in all; a quarter of them from one provider (/16, IPv6 /32)"`
	RateLimitLogin        int           `envconfig:"RATE_LIMIT_LOGIN" default:"60" min:"0" max:"100000" desc:"failed logins a minute, from each client address, and for each e-mail from each network (/24, IPv6 /48); 0: no limit"`
	RateLimitLookup       int           `envconfig:"RATE_LIMIT_LOOKUP" default:"60000" min:"0" max:"10000000" desc:"lookups of an organization by its name a minute, from each client address; 0: no limit"`
	RateLimitMove         int           `envconfig:"RATE_LIMIT_MOVE" default:"600" min:"0" max:"100000" desc:"updates a minute that move the data, of each organization; 0: no limit"`
	RateLimitOrganization int           `envconfig:"RATE_LIMIT_ORGANIZATION" default:"0" min:"0" max:"10000000" desc:"requests a minute for the documents of each organization; 0: no limit"`
	MaxMoves              int           `envconfig:"MAX_MOVES" default:"16" min:"0" max:"10000" desc:"moves of data at a time, of all organizations; 0: no limit"`
	MaxOrganizations      int           `envconfig:"MAX_ORGANIZATIONS" default:"100000" min:"0" max:"1000000000" desc:"organizations that there may be; 0: no limit"`
	MaxIdempotencyKeys    int           `envconfig:"MAX_IDEMPOTENCY_KEYS" default:"1000000" min:"0" max:"1000000000" desc:"requests with an Idempotency-Key that are remembered for a day, of each organization and of the strangers of each network; 0: no limit"`
	DeleteGrace           time.Duration `envconfig:"DELETE_GRACE" default:"0s" min:"0s" max:"720h" desc:"how long the operator can restore a deleted organization; 0s: not at all, it is gone at once"`
	MoveGrace             time.Duration `envconfig:"MOVE_GRACE" default:"0s" min:"0s" max:"720h" desc:"how long the collection that an update has moved the data from is kept"`
	DoctorDeep            bool          `envconfig:"DOCTOR_DEEP" default:"false" oneof:"true false" desc:"whether orgd doctor compares what MOVE_GRACE keeps with where the data is now, document by document"`
	TrustedProxies        Prefixes      `envconfig:"TRUSTED_PROXIES" unset:"none" allowed:"IP addresses and networks such as 10.0.0.0/8, separated by commas" desc:"proxies whose X-Forwarded-For is believed"`
	LogLevel              slog.Level    `envconfig:"LOG_LEVEL" default:"info" oneof:"debug info warn error" desc:"least level that is logged"`
	LogFormat             string        `envconfig:"LOG_FORMAT" default:"text" oneof:"text json" desc:"format of log lines"`
	MemoryBudget          int           `envconfig:"MEMORY_BUDGET" default:"256" min:"200" max:"1048576" desc:"MiB of memory for what clients send and are sent; an organization has at most a quarter of it or 97, all strangers an eighth"`
	MaxConnections        int           `envconfig:"MAX_CONNECTIONS" default:"0" min:"0" max:"1000000" desc:"connections at a time; 0: as many as there are open files for, 10000 at most"`
	MaxConnectionsAddress int           `envconfig:"MAX_CONNECTIONS_PER_ADDRESS" default:"0" min:"0" max:"1000000" desc:"connections at a time from one client address, or IPv6 /64; 0: a quarter of MAX_CONNECTIONS. Trusted proxies have no such limit"`
	QueryTimeout          time.Duration `envconfig:"QUERY_TIMEOUT" default:"10s" min:"10ms" max:"10m" desc:"how long the storage may take for a list of documents"`
	ShutdownTimeout       time.Duration `envconfig:"SHUTDOWN_TIMEOUT" default:"10s" min:"1s" max:"10m" desc:"how long a shutdown waits for requests that are being answered"`

	sources map[string]string // where each variable was found; "" or nothing: it has its default
}

// TokenTTL is how long a token is good.
func (c Config) TokenTTL() time.Duration { return time.Duration(c.JWTExpMinutes) * time.Minute }

// Embedded reports whether the embedded engine is in use.
func (c Config) Embedded() bool { return !c.MongoURI.IsSet() }

// storage says where the data is, without credentials.
func (c Config) storage() string {
	if c.Embedded() {
		return c.DataDir
	}
	return "MongoDB at " + hostsOf(c.MongoURI.Reveal())
}

// Prefixes are networks; a single address is a network of one.
type Prefixes []netip.Prefix

// Decode is called by envconfig.
func (p *Prefixes) Decode(value string) error {
	var all Prefixes
	for item := range strings.SplitSeq(value, ",") {
		item = strings.TrimSpace(item)
		if addr, err := netip.ParseAddr(item); err == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			all = append(all, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(item)
		if err != nil || prefix.Addr().Is4In6() {
			return fmt.Errorf("holds %s, which is neither an IP address nor a network", quote(item))
		}
		all = append(all, prefix.Masked())
	}
	*p = all
	return nil
}

// String lists the networks as Decode takes them.
func (p Prefixes) String() string {
	texts := make([]string, len(p))
	for i, prefix := range p {
		texts[i] = prefix.String()
	}
	return strings.Join(texts, ",")
}

// Load reads the configuration from the environment (as os.Environ returns it) and,
// for what that does not set, from the file at path dotenv, which need not exist; ""
// means no file. A variable set to nothing counts as not set, except that in the
// environment it hides the one in the file.
//
// The error, if any, has one line for everything that is wrong, each of which names
// the variable; no line holds the value of a secret.
func Load(environ []string, dotenv string) (Config, error) {
	file, err := readDotenv(dotenv)
	problems := []error{err}
	env := map[string]string{}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			env[name] = value
		}
	}
	c := Config{sources: map[string]string{}}
	refused := map[string]bool{}
	for _, field := range fields() {
		name := field.Tag.Get("envconfig")
		value, source := find(name, env, file, dotenv)
		c.sources[name] = source
		if err := c.set(field, value); err != nil {
			refused[name] = true
			problems = append(problems, problem(field, source, err))
		}
	}
	problems = append(problems, c.checkTogether(refused)...)
	problems = append(problems, unknown(file, dotenv)...)
	problems = append(problems, misspelled(env, file)...)
	if err := errors.Join(problems...); err != nil {
		return Config{}, err
	}
	return c, nil
}

// find returns a variable's value, and where it is from; source is "" when it is not set.
func find(name string, env, file map[string]string, dotenv string) (value, source string) {
	if v, ok := env[name]; ok {
		return v, "environment"
	}
	if v, ok := file[name]; ok {
		return v, dotenv
	}
	return "", ""
}

// fields returns the fields of Config that are variables.
func fields() []reflect.StructField {
	var all []reflect.StructField
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if f.Tag.Get("envconfig") != "" {
			all = append(all, f)
		}
	}
	return all
}

// set checks one variable's value and stores it in its field.
func (c *Config) set(field reflect.StructField, value string) error {
	if field.Type != reflect.TypeFor[Secret]() {
		value = strings.TrimSpace(value)
	}
	if value == "" {
		value = field.Tag.Get("default")
	}
	if value == "" {
		return nil
	}
	value, err := oneOf(field, value)
	if err != nil {
		return err
	}
	v := reflect.New(field.Type)
	if err := parse(v.Interface(), value); err != nil {
		return err
	}
	if err := check(field, v.Elem(), value); err != nil {
		return err
	}
	reflect.ValueOf(c).Elem().FieldByIndex(field.Index).Set(v.Elem())
	return nil
}

// parse stores a value in the variable that target points to, by the rules of
// envconfig. Its Process does not serve: it reads no other source than the
// environment of this process, and stops at its first error.
func parse(target any, value string) (err error) {
	switch t := target.(type) {
	case envconfig.Decoder:
		err = t.Decode(value)
	case encoding.TextUnmarshaler:
		err = t.UnmarshalText([]byte(value))
	case *string:
		*t = value
	case *bool:
		*t, err = strconv.ParseBool(value)
	case *int:
		var n int64
		if n, err = strconv.ParseInt(value, 0, strconv.IntSize); err != nil {
			err = fmt.Errorf("%s is not a whole number", quote(value))
		}
		*t = int(n)
	case *time.Duration:
		if *t, err = time.ParseDuration(value); err != nil {
			err = fmt.Errorf("%s is not a duration such as 10s", quote(value))
		}
	default:
		err = fmt.Errorf("is of a type that is not parsed: %T", target)
	}
	return err
}

// oneOf returns the value as the oneof tag spells it; any value, if there is no such tag.
func oneOf(field reflect.StructField, value string) (string, error) {
	all := strings.Fields(field.Tag.Get("oneof"))
	for _, one := range all {
		if strings.EqualFold(one, value) {
			return one, nil
		}
	}
	if len(all) > 0 {
		return "", fmt.Errorf("%s is not one of the values there are", quote(value))
	}
	return value, nil
}

// problem says in one line what is wrong with a variable, and what is allowed.
func problem(field reflect.StructField, source string, err error) error {
	where := ""
	if source != "" && source != "environment" {
		where = " in " + source
	}
	return fmt.Errorf("%s%s: %w; allowed: %s", field.Tag.Get("envconfig"), where, err, allowed(field))
}

// quote shows a value that may be anything in a line of text.
func quote(value string) string {
	const most = 60
	if r := []rune(value); len(r) > most {
		value = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", value)
}
