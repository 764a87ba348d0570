// Package connection reads a MongoDB connection string: the driver's options with what docdb
// promises put over them, and the secrets that no error may show.
package connection

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/orgd/orgd/internal/docdb"
)

// Options returns the driver's options for a connection string. The read and write settings that
// docdb's promises need override those of the string.
func Options(uri, appName string) (*options.ClientOptions, Secrets, error) {
	opts := options.Client().ApplyURI(uri)
	hidden := secretsOf(uri, opts)
	if err := opts.Validate(); err != nil {
		return nil, nil, uriFault(uri, err)
	}
	journal := true
	opts.SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal})
	opts.SetReadConcern(readconcern.Majority())
	opts.SetReadPreference(readpref.Primary())
	if appName != "" {
		opts.SetAppName(appName)
	}
	return opts, hidden, nil
}

// uriFault says what is wrong with a connection string. The driver's text may quote any part of the
// string, and of a malformed string the secret parts cannot be told, so the text is shown only if
// the string cannot hold a secret.
func uriFault(uri string, err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) && !strings.ContainsAny(dns.Name, "@/?:%") {
		return fmt.Errorf("%w: look up MongoDB at %q: %s", docdb.ErrUnavailable, dns.Name, dns.Err)
	}
	switch {
	case uri == "":
		return fmt.Errorf("%w: the MongoDB connection string is empty", docdb.ErrInvalid)
	case !strings.HasPrefix(uri, "mongodb://") && !strings.HasPrefix(uri, "mongodb+srv://"):
		return fmt.Errorf("%w: the MongoDB connection string does not begin with mongodb:// or mongodb+srv://", docdb.ErrInvalid)
	case maySecret(uri):
		return fmt.Errorf("%w: the MongoDB connection string cannot be read: "+
			"check its options, and that user name and password are percent-encoded", docdb.ErrInvalid)
	default:
		return fmt.Errorf("%w: the MongoDB connection string cannot be read: %s", docdb.ErrInvalid, oneLine(err.Error()))
	}
}

// maySecret reports whether a connection string may hold a credential.
func maySecret(uri string) bool {
	lower := strings.ToLower(uri)
	return strings.ContainsAny(uri, "@%") || strings.Contains(lower, "password") ||
		strings.Contains(lower, "token") || strings.Contains(lower, "mechanismproperties")
}

// Hosts returns the hosts of the deployment, for errors.
func Hosts(opts *options.ClientOptions) string { return strings.Join(opts.Hosts, ",") }

// Secrets are the pieces of a connection string that no error may show.
type Secrets []string

func secretsOf(uri string, opts *options.ClientOptions) Secrets {
	var s Secrets
	add := func(text string) {
		for _, form := range []string{text, unescape(text)} {
			if form != "" && !slices.Contains(s, form) {
				s = append(s, form)
			}
		}
	}
	if opts.Auth != nil {
		add(opts.Auth.Password)
		for key, value := range opts.Auth.AuthMechanismProperties {
			if maySecret(key) {
				add(value)
			}
		}
	}
	_, rest, _ := strings.Cut(uri, "://")
	rest, query, _ := strings.Cut(rest, "?")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		_, password, _ := strings.Cut(rest[:at], ":")
		add(password)
	}
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if maySecret(key) {
			add(value)
		}
	}
	// The longest first: a secret may be part of another.
	slices.SortFunc(s, func(a, b string) int { return len(b) - len(a) })
	return s
}

func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// Line makes a text of the driver fit for an error: without secrets, on one line, and bounded.
func (s Secrets) Line(text string) string {
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return oneLine(text)
}

func oneLine(text string) string {
	const limit = 500
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "..."
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "?")
	}
	return text
}

// Health remembers why the deployment's servers did not answer last. While none answers, the
// operator wants to know that, and not that a timeout has passed.
type Health struct {
	mu     sync.Mutex
	reason string
}

// Monitor keeps Health up to date.
func (h *Health) Monitor() *event.ServerMonitor {
	return &event.ServerMonitor{
		ServerHeartbeatFailed: func(e *event.ServerHeartbeatFailedEvent) {
			if e.Failure != nil {
				h.set(e.Failure.Error())
			}
		},
		ServerHeartbeatSucceeded: func(*event.ServerHeartbeatSucceededEvent) { h.set("") },
	}
}

func (h *Health) set(reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reason = reason
}

// Last returns why no server answered last, "" if one has answered since.
func (h *Health) Last() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reason
}
