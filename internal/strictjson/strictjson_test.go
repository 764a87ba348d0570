package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// request are the rules for the bodies of requests.
var request = Rules{MaxDepth: 100, FoldNames: true}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{}`, ""}, {`[]`, ""}, {`null`, ""}, {`true`, ""}, {`false`, ""}, {`0`, ""}, {`-0.5e+10`, ""}, {`""`, ""},
		{` [ 1 , {"a" : [ { } ] } ] `, ""},
		{`{"a":{"a":1},"b":[{"a":1},{"a":2}]}`, ""}, // the same name in different objects
		{`"\u0000\ud83d\udc1d\"\\\/\b\f\n\r\t"`, ""},
		{``, "# is not valid JSON at byte 0: it ends too early"},
		{`[`, "# is not valid JSON at byte 1: it ends too early"},
		{`[1`, "# is not valid JSON at byte 2: neither a comma nor the end of the array"},
		{`[1,]`, "# is not valid JSON at byte 3: no value begins so"},
		{`{"a":1,}`, "# is not valid JSON at byte 7: not a property's name"},
		{`{a:1}`, "# is not valid JSON at byte 1: not a property's name"},
		{`{"a"}`, "# is not valid JSON at byte 4: no colon after a property's name"},
		{`{"a":1 "b":2}`, "# is not valid JSON at byte 7: neither a comma nor the end of the object"},
		{`'a'`, "# is not valid JSON at byte 0: no value begins so"},
		{`nul`, "# is not valid JSON at byte 0: no value begins so"},
		{`NaN`, "# is not valid JSON at byte 0: no value begins so"},
		{`+1`, "# is not valid JSON at byte 0: no value begins so"},
		{`01`, "# is not valid JSON at byte 1: data after the value"},
		{`1.`, "# is not valid JSON at byte 2: not a number"},
		{`.5`, "# is not valid JSON at byte 0: no value begins so"},
		{`-`, "# is not valid JSON at byte 1: not a number"},
		{`1e`, "# is not valid JSON at byte 2: not a number"},
		{`0x1`, "# is not valid JSON at byte 1: data after the value"},
		{`1 2`, "# is not valid JSON at byte 2: data after the value"},
		{"{}\x00", "# is not valid JSON at byte 2: data after the value"},
		{"\"a\nb\"", "# is not valid JSON at byte 2: a control character in a string"},
		{"\"a\x00b\"", "# is not valid JSON at byte 2: a control character in a string"},
		{`"a`, "# is not valid JSON at byte 2: a string does not end"},
		{`"\`, "# is not valid JSON at byte 2: not an escape"},
		{`"\x41"`, "# is not valid JSON at byte 2: not an escape"},
		{`"\u12g4"`, "# is not valid JSON at byte 3: not an escape"},
		{`"\u12`, "# is not valid JSON at byte 3: not an escape"},
		{`"\ud83d"`, "# is not valid JSON at byte 7: half of a surrogate pair"},
		{`"\udc1d"`, "# is not valid JSON at byte 7: half of a surrogate pair"},
		{`"\ud83d\ud83d"`, "# is not valid JSON at byte 13: half of a surrogate pair"},
		{`"\ud83d\u0041"`, "# is not valid JSON at byte 13: half of a surrogate pair"},
		{`{"\ud83d":1}`, "# is not valid JSON at byte 8: half of a surrogate pair"},
		{"\"\xed\xa0\x80\"", "# is not valid UTF-8"},
		{`// x` + "\n{}", "# is not valid JSON at byte 0: no value begins so"},
		{`{"a":{"b":1,"b":2}}`, "#/a/b is given more than once"},
		{`[{"a":1},{"A":1,"a":2}]`, "#/a is given more than once"},
		{`{"ſ":1,"S":2}`, "#/S is given more than once"},
	} {
		got := ""
		if e := Check([]byte(c.in), request); e != nil {
			got = strings.Join(append([]string{"#"}, e.Path...), "/") + " " + e.Detail
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestNamesThatDifferInCase(t *testing.T) {
	rules := Rules{MaxDepth: 4}
	if e := Check([]byte(`{"a":1,"A":2}`), rules); e != nil {
		t.Errorf("without folding: %v", e)
	}
	if e := Check([]byte(`{"a":1,"a":2}`), rules); e == nil {
		t.Error("without folding, the same name twice is taken")
	}
}

func TestNestingIsBounded(t *testing.T) {
	deep := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if e := Check(deep(request.MaxDepth), request); e != nil {
		t.Errorf("as deep as may be: %v", e)
	}
	for _, n := range []int{request.MaxDepth + 1, 100_000, 10_000_000} {
		start := time.Now()
		if e := Check(deep(n), request); e == nil || e.Detail != "is nested deeper than 100 levels" {
			t.Errorf("%d levels: %v", n, e)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%d levels took %v", n, took)
		}
	}
}

// FuzzStrictJSON holds Check against encoding/json, which is lenient where
// Check is not, and against a second way to find what it adds.
func FuzzStrictJSON(f *testing.F) {
	for _, seed := range []string{
		`{"organization_name":"Newco","email":"admin@newco.example"}`, `{"a":[1,-2.5e3,{"b":null}],"A":true}`, `{"\u0061":1,"a":2}`, `"\ud83d\udc1d"`, `"\ud83d"`, "\"\xff\"", `[[[[1]]]]`,
		`{"a":1}{"b":2}`, "\ufeff{}", `1e5`, `01`, `"\u000`, `{"k":1,"K":2}`, ` `, `[1,]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rules := Rules{MaxDepth: 8, FoldNames: true}
		e := Check(data, rules)
		valid := json.Valid(data)
		switch {
		case e == nil && !valid:
			t.Fatalf("takes what is not JSON: %q", data)
		case e == nil:
			if reason := objection(data, rules); reason != "" {
				t.Fatalf("takes %q in spite of: %s", data, reason)
			}
		case valid && objection(data, rules) == "":
			t.Fatalf("refuses %q: %v", data, e)
		}
		if e == nil {
			return
		}
		if e.Detail == "" || !utf8.ValidString(strings.Join(e.Path, "")) || !utf8.ValidString(e.Detail) {
			t.Fatalf("says %+v of %q", e, data)
		}
	})
}

// TestExtended: what clients' own documents may hold, and nothing around them.
func TestExtended(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n-1) + `{}` + strings.Repeat(`}`, n-1) }
	rules := Rules{MaxDepth: 4, FoldNames: true, Extended: []string{"filter"}}
	for _, c := range []struct{ in, want string }{
		{`{"filter":{"a":1,"A":2}}`, ""},
		{`{"filter":` + deep(4) + `,"b":1}`, ""},
		{`{"filter":` + deep(5) + `}`, "filter is nested deeper than 4 levels"},
		{`{"filter":{"a":1,"a":2}}`, "filter/a is given more than once"},
		{`{"filter":{},"b":` + deep(4) + `}`, " is nested deeper than 4 levels"},
		{`{"filter":{"filter":{"a":1,"A":2}},"Filter":1}`, "Filter is given more than once"},
		{`{"b":{"filter":{"a":1,"A":2}}}`, "b/filter/A is given more than once"},
		{`[{"filter":{"a":1,"A":2}}]`, "filter/A is given more than once"},
		{`{"filter":{"a" 1}}`, " is not valid JSON at byte 15: no colon after a property's name"},
	} {
		got := ""
		if e := Check([]byte(c.in), rules); e != nil {
			got = strings.Join(e.Path, "/") + " " + e.Detail
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.in, got, c.want)
		}
	}
}

// objection is what Check must object to in a valid JSON text, found by
// encoding/json's own tokens, or "".
func objection(data []byte, rules Rules) string {
	if !utf8.Valid(data) {
		return "invalid UTF-8"
	}
	if halfPair(data) {
		return "half of a surrogate pair"
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return objectionIn(dec, rules, 0)
}

func objectionIn(dec *json.Decoder, rules Rules, depth int) string {
	token, err := dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return ""
		}
		return err.Error()
	}
	open, ok := token.(json.Delim)
	if !ok {
		return ""
	}
	if depth++; depth > rules.MaxDepth {
		return "depth"
	}
	var names []string
	for dec.More() {
		if open == '{' {
			token, err := dec.Token()
			if err != nil {
				return err.Error()
			}
			for _, other := range names {
				if strings.EqualFold(other, token.(string)) {
					return "twice"
				}
			}
			names = append(names, token.(string))
		}
		if reason := objectionIn(dec, rules, depth); reason != "" {
			return reason
		}
	}
	_, _ = dec.Token()
	return ""
}

// halfPair looks for it without a scanner: an escape that encoding/json turns
// into U+FFFD though it does not say so.
func halfPair(data []byte) bool {
	var v any
	if json.Unmarshal(data, &v) != nil {
		return false
	}
	// Replace what asks for U+FFFD in earnest, then see whether any is left.
	text := strings.ReplaceAll(string(data), "\ufffd", "?")
	for _, spelled := range []string{`\ufffd`, `\uFFFD`, `\ufffD`, `\uFffd`, `\uffFd`, `\ufFfd`, `\uFFfd`, `\uFfFd`, `\uFffD`, `\ufFFd`, `\ufFfD`, `\uffFD`, `\uFFFd`, `\uFFfD`, `\uFfFD`, `\ufFFD`} {
		text = strings.ReplaceAll(text, spelled, `\u003f`)
	}
	dec := json.NewDecoder(strings.NewReader(text))
	for {
		token, err := dec.Token()
		if err != nil {
			return false
		}
		if s, ok := token.(string); ok && strings.ContainsRune(s, utf8.RuneError) {
			return true
		}
	}
}
