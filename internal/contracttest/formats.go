package contracttest

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// formats are the formats of strings that the contract uses, as strictly as they
// are meant: openapi3 itself lets any text pass for a uuid or a uri.
var formats = map[string]func(string) error{
	"uuid":          matches(`^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`),
	"date-time":     parses(func(s string) (time.Time, error) { return time.Parse(time.RFC3339, s) }),
	"date":          parses(func(s string) (time.Time, error) { return time.Parse(time.DateOnly, s) }),
	"uri":           parses(absolute),
	"uri-reference": parses(url.Parse),
	"ipv4":          parses(netip.ParseAddr),
	"ipv6":          parses(netip.ParseAddr),
	"email":         matches(openapi3.FormatOfStringForEmail),
	"filter":        aFilter,
	"sort":          somePaths("-"),
	"fields":        somePaths(""),
	"cursor":        aCursor,
	"password":      func(string) error { return nil }, // says how to show it
}

// requestFormats hold what is sent, answerFormats what comes back. The second ask
// for more: RFC 3339 has offsets, and the contract says that it answers in UTC.
var (
	requestFormats = options(nil)
	answerFormats  = options(map[string]func(string) error{"date-time": inUTC})
)

func options(instead map[string]func(string) error) []openapi3.SchemaValidationOption {
	var all []openapi3.SchemaValidationOption
	for name, check := range formats {
		if other := instead[name]; other != nil {
			check = other
		}
		all = append(all, openapi3.WithStringFormatValidator(name, openapi3.NewCallbackValidator(check)))
	}
	return all[:len(all):len(all)] // to be appended to, by many at once
}

func matches(pattern string) func(string) error {
	re := regexp.MustCompile(pattern)
	return func(s string) error {
		if !re.MatchString(s) {
			return fmt.Errorf("%q does not match %s", s, pattern)
		}
		return nil
	}
}

func parses[T any](parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		_, err := parse(s)
		return err
	}
}

func absolute(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err == nil && !u.IsAbs() {
		return nil, errors.New("not absolute")
	}
	return u, err
}

func inUTC(s string) error {
	if _, err := time.Parse(time.RFC3339, s); err != nil {
		return err
	}
	if !strings.HasSuffix(s, "Z") {
		return fmt.Errorf("%q is not in UTC", s)
	}
	return nil
}
