package app

import (
	"errors"
	"regexp"
	"strings"
)

// A MongoDB connection string:
//
//	mongodb[+srv]://[user[:password]@]host[:port][,host[:port]…][/[database]][?option=value&…]
type mongoURI struct {
	scheme   string
	hasUser  bool
	userinfo string // as it is written, percent-encoded
	hosts    string
	path     string // with its slash
	query    string // without its question mark
}

// parseMongoURI takes a connection string apart. What does not fit the form is an
// error that holds nothing of it: a stray character most often is part of a password.
func parseMongoURI(uri string) (mongoURI, error) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok || (scheme != "mongodb" && scheme != "mongodb+srv") {
		return mongoURI{}, errors.New("does not begin with mongodb:// or mongodb+srv://")
	}
	u := mongoURI{scheme: scheme}
	authority, tail := rest, ""
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		authority, tail = rest[:end], rest[end:]
	}
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		u.hasUser, u.userinfo, authority = true, authority[:at], authority[at+1:]
	}
	if strings.Contains(u.userinfo, "@") || strings.Count(u.userinfo, ":") > 1 {
		return mongoURI{}, errors.New("has an @ or : in the user name or password that is not percent-encoded")
	}
	u.hosts = authority
	u.path, u.query, _ = strings.Cut(tail, "?")
	if strings.Contains(u.path, "@") || strings.Contains(appName.ReplaceAllString(u.query, ""), "@") {
		return mongoURI{}, errors.New("has an @ behind the hosts: a / or ? in the user name or password must be percent-encoded")
	}
	for host := range strings.SplitSeq(u.hosts, ",") {
		if !hostForm.MatchString(host) {
			return mongoURI{}, errors.New("does not name its hosts as host or host:port, separated by commas")
		}
	}
	return u, nil
}

// appName may hold an @: Azure's connection strings end in &appName=@name@.
var appName = regexp.MustCompile(`(?i)(^|&)appName=@[a-z0-9-]+@(&|$)`)

// hostForm: a name or IPv4 address or percent-encoded socket, or an IPv6 address.
var hostForm = regexp.MustCompile(`^([A-Za-z0-9._%-]+|\[[0-9A-Fa-f:.]+(%25[A-Za-z0-9._-]+)?\])(:[0-9]{1,5})?$`)

func checkMongoURI(uri string) error {
	_, err := parseMongoURI(uri)
	return err
}

// hostsOf returns the hosts that a connection string names, which are no secret; of a
// text that is none, nothing.
func hostsOf(uri string) string {
	u, err := parseMongoURI(uri)
	if err != nil {
		return masked
	}
	return u.hosts
}

const masked = "***"

// MaskURI returns a MongoDB connection string for people to read, without its
// password and without the values of options that may hold a credential. It shows
// what is known to be harmless only; of a text that is no connection string, nothing.
func MaskURI(uri string) string {
	u, err := parseMongoURI(uri)
	if err != nil || !pathForm.MatchString(u.path) {
		return masked
	}
	out := u.scheme + "://"
	if u.hasUser {
		// Without a password, what stands there may be a token.
		user, _, hasPassword := strings.Cut(u.userinfo, ":")
		if hasPassword && harmless.MatchString(user) {
			out += user + ":"
		}
		out += masked + "@"
	}
	out += u.hosts + u.path
	if u.query != "" {
		out += "?" + maskQuery(u.query)
	}
	return out
}

var (
	pathForm = regexp.MustCompile(`^(/[A-Za-z0-9_%-]{0,63})?$`)
	harmless = regexp.MustCompile(`^[A-Za-z0-9._,:%+-]*$`)
)

// shownOptions are the options, in lower case, whose values are never secret.
var shownOptions = map[string]bool{
	"replicaset": true, "authsource": true, "authmechanism": true, "tls": true, "ssl": true, "w": true, "wtimeoutms": true,
	"journal": true, "readconcernlevel": true, "readpreference": true, "maxstalenessseconds": true, "retrywrites": true,
	"retryreads": true, "directconnection": true, "loadbalanced": true, "maxpoolsize": true, "minpoolsize": true,
	"maxidletimems": true, "connecttimeoutms": true, "sockettimeoutms": true, "serverselectiontimeoutms": true,
	"timeoutms": true, "compressors": true, "appname": true, "srvservicename": true, "srvmaxhosts": true,
}

func maskQuery(query string) string {
	pairs := strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' })
	for i, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		switch {
		case !ok || !optionName.MatchString(name):
			pairs[i] = masked
		case !shownOptions[strings.ToLower(name)] || !harmless.MatchString(value):
			pairs[i] = name + "=" + masked
		}
	}
	return strings.Join(pairs, "&")
}

var optionName = regexp.MustCompile(`^[A-Za-z]{1,40}$`)
