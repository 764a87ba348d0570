package extjson

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"
)

// TestLongDecimals: a decimal with zeros to spare is what the driver makes of it.
func TestLongDecimals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zeros := rapid.Custom(func(t *rapid.T) string { return strings.Repeat("0", rapid.IntRange(0, 60).Draw(t, "zeros")) })
		digits := rapid.StringMatching(`[0-9]{0,36}`)
		s := rapid.SampledFrom([]string{"", "-", "--"}).Draw(t, "sign") +
			zeros.Draw(t, "front") + digits.Draw(t, "whole") + zeros.Draw(t, "back") +
			rapid.SampledFrom([]string{"", ".", "..", "_"}).Draw(t, "point") +
			zeros.Draw(t, "front") + digits.Draw(t, "fraction") + zeros.Draw(t, "back")
		if rapid.Bool().Draw(t, "has an exponent") {
			s += rapid.SampledFrom([]string{"e", "E", "E+", "E-", "E--"}).Draw(t, "exponent") + zeros.Draw(t, "front") +
				strconv.Itoa(rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(6000, 6300)).Draw(t, "exponent"))
		}
		want, err := bson.ParseDecimal128(s)
		if got, ok := parseDecimal(s); ok != (err == nil) || ok && got != want {
			t.Fatalf("%s: %v, %v; the driver: %v, %v", s, got, ok, want, err)
		}
	})
}

// TestHugeDecimals: their time grows with their length, and not with its square.
func TestHugeDecimals(t *testing.T) {
	zeros := strings.Repeat("0", 16<<20)
	for s, want := range map[string]string{
		"1" + zeros:   "",
		"1." + zeros:  "1.000000000000000000000000000000000",
		"-0." + zeros: "-0E-6176",
		zeros + "1":   "1",
		"1" + zeros + "E-" + strconv.Itoa(16<<20): "1.000000000000000000000000000000000",
		"1E" + zeros + "5":                        "1E+5",
		"0E-99999999999999" + zeros:               "",
		"1" + zeros + "E9223372036854775807":      "",
		"1E99999999999999999999":                  "",
	} {
		start := time.Now()
		d, ok := parseDecimal(s)
		if ok != (want != "") || ok && d.String() != want {
			t.Errorf("%.20s…: %v, %v; want %q", s, d, ok, want)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%.20s… took %v", s, took)
		}
	}
}
