package contracttest

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"
)

// longText is the length that texts are drawn up to where the schema allows more: the
// bounds that matter are less than this.
const longText = 2000

func (d drawer) text(s *openapi3.Schema) string {
	least, most := int(s.MinLength), longText
	if s.MaxLength != nil && *s.MaxLength < longText {
		most = int(*s.MaxLength)
	}
	if s.Pattern == "" && s.Format != "" && s.Format != "password" {
		return d.format(s.Format)
	}
	// Short texts mostly, and both ends of what is allowed.
	n := rapid.IntRange(least, min(most, least+20)).Draw(d.T, "length")
	switch rapid.IntRange(1, 6).Draw(d.T, "which length") {
	case 4:
		n = least
	case 5:
		n = most
	case 6:
		n = rapid.IntRange(least, most).Draw(d.T, "any length")
	}
	if s.Pattern != "" {
		return d.matching(s.Pattern, n)
	}
	return rapid.StringN(n, n, -1).Draw(d.T, "text")
}

// goPattern is a pattern of JSON Schema as package regexp wants it.
func goPattern(pattern string) string {
	return regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`).ReplaceAllString(pattern, `\x{$1}`)
}

// matching draws a text that matches a pattern, with about n characters.
func (d drawer) matching(pattern string, n int) string {
	re, err := syntax.Parse(goPattern(pattern), syntax.Perl)
	if err != nil {
		d.Fatalf("contracttest cannot read the pattern %s: %v", pattern, err)
	}
	var b strings.Builder
	d.walk(&b, re, n)
	if missing := n - utf8.RuneCountInString(b.String()); missing > 0 && !strings.HasSuffix(pattern, "$") {
		b.WriteString(rapid.StringN(missing, missing, -1).Draw(d.T, "rest"))
	}
	return b.String()
}

// walk writes something that the expression matches, with about n characters.
func (d drawer) walk(b *strings.Builder, re *syntax.Regexp, n int) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(d.oneOf(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteRune(rapid.RuneFrom(nil, unicode.Letter, unicode.Digit, unicode.Punct).Draw(d.T, "character"))
	case syntax.OpCapture:
		d.walk(b, re.Sub[0], n)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			d.walk(b, sub, (n+len(re.Sub)-1)/max(stretching(re.Sub), 1))
		}
	case syntax.OpAlternate:
		d.walk(b, rapid.SampledFrom(re.Sub).Draw(d.T, "alternative"), n)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		times := d.times(re, n)
		for range times {
			d.walk(b, re.Sub[0], n/times)
		}
	case syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpEmptyMatch:
	default:
		d.Fatalf("contracttest cannot draw for %s in a pattern: teach drawtext.go", re.Op)
	}
}

// stretching counts the parts that may be of any length.
func stretching(all []*syntax.Regexp) int {
	count := 0
	for _, re := range all {
		switch re.Op {
		case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat, syntax.OpCapture, syntax.OpConcat:
			count++
		}
	}
	return count
}

// times is how often an expression comes that may come several times.
func (d drawer) times(re *syntax.Regexp, n int) int {
	least, most := 0, n
	switch re.Op {
	case syntax.OpPlus:
		least = 1
	case syntax.OpQuest:
		most = 1
	case syntax.OpRepeat:
		least = re.Min
		if re.Max >= 0 {
			most = min(re.Max, max(n, re.Min))
		}
	}
	most = max(least, most)
	if rapid.Bool().Draw(d.T, "as often as can be") {
		return most
	}
	return rapid.IntRange(least, most).Draw(d.T, "times")
}

// oneOf draws a character of a class, mostly one that a person would type.
func (d drawer) oneOf(ranges []rune) rune {
	var typed, all [][2]rune
	for i := 0; i < len(ranges); i += 2 {
		low, high := ranges[i], ranges[i+1]
		if low, high := max(low, ' '), min(high, '~'); low <= high {
			typed = append(typed, [2]rune{low, high})
		}
		all = append(all, withoutSurrogates(low, high)...)
	}
	if len(typed) > 0 && !d.chance(4, "strange") {
		all = typed
	}
	one := rapid.SampledFrom(all).Draw(d.T, "range")
	return rapid.Int32Range(one[0], one[1]).Draw(d.T, "character")
}

// withoutSurrogates leaves out what no text can hold.
func withoutSurrogates(low, high rune) [][2]rune {
	const first, last = 0xD800, 0xDFFF
	var parts [][2]rune
	if low < first {
		parts = append(parts, [2]rune{low, min(high, first-1)})
	}
	if high > last {
		parts = append(parts, [2]rune{max(low, last+1), high})
	}
	return parts
}

// format draws a text of a format.
func (d drawer) format(name string) string {
	switch name {
	case "uuid":
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(d.T, "uuid")
		b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	case "date-time":
		zone := time.FixedZone("", rapid.SampledFrom([]int{0, 3600, -34200}).Draw(d.T, "offset"))
		return d.instant().In(zone).Format(time.RFC3339Nano)
	case "date":
		return d.instant().Format(time.DateOnly)
	case "uri":
		return "https://" + d.matching(`^[a-z]{1,9}\.example/[a-zA-Z0-9/._~-]{0,20}(\?[a-z]=[a-z0-9]{0,9})?$`, 30)
	case "uri-reference":
		return d.matching(`^/[a-zA-Z0-9/._~-]{0,20}(\?[a-z]=[a-z0-9]{0,9})?$`, 30)
	case "email":
		return d.matching(`^[a-z0-9.+-]{1,20}@[a-z]{1,20}\.example$`, 30)
	case "ipv4", "ipv6":
		return map[string]string{"ipv4": "192.0.2.1", "ipv6": "2001:db8::1"}[name]
	case "byte":
		return base64.StdEncoding.EncodeToString(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(d.T, "bytes"))
	}
	if own, ok := ownFormats[name]; ok {
		return rapid.SampledFrom(own).Draw(d.T, name)
	}
	d.Fatalf("contracttest cannot draw the format %q: teach drawtext.go and formats.go", name)
	return ""
}

// instant draws a time from 1970 to 2100.
func (d drawer) instant() time.Time {
	return time.UnixMilli(rapid.Int64Range(0, 4102444800000).Draw(d.T, "time")).UTC()
}

// breakers are characters that hardly any pattern takes everywhere.
var breakers = []rune{0, '\n', '\u202e', '\u2028', ' ', '@', '"', '/', '\\', '%', 'é', '株', '-', '.', '_', 'Z', '0', '\ufffd', '\u007f'}

// spoil puts a character into a text, or in the place of one.
func (d drawer) spoil(text string) string {
	runes := []rune(text)
	at := rapid.IntRange(0, len(runes)).Draw(d.T, "where")
	one := rapid.SampledFrom(breakers).Draw(d.T, "breaker")
	if at < len(runes) && rapid.Bool().Draw(d.T, "replace") {
		runes[at] = one
		return string(runes)
	}
	return string(slices.Insert(runes, at, one))
}
