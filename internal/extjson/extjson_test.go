package extjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
)

// TestRoundTrip: canonical Extended JSON gives every document back byte for byte,
// and the driver reads what is written here, and the other way round, alike.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := draw(t)
		text := AppendCanonical(nil, doc)
		back, err := Parse(text, Documents)
		if err != nil || !bytes.Equal(back, doc) {
			t.Fatalf("%s: %v\nfrom %x\nto   %x", text, err, []byte(doc), []byte(back))
		}
		if !json.Valid(text) {
			t.Fatalf("not JSON: %s", text)
		}
		var driver bson.Raw
		if err := bson.UnmarshalExtJSON(text, true, &driver); err != nil || !bytes.Equal(driver, doc) {
			t.Fatalf("the driver reads %s as %v, %v", text, driver, err)
		}
		theirs, err := bson.MarshalExtJSON(doc, true, false)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Parse(theirs, Documents); err != nil || !bytes.Equal(back, doc) {
			t.Fatalf("the driver's %s is read as %v, %v", theirs, back, err)
		}
	})
}

// TestRelaxed: relaxed Extended JSON gives every value back, numbers of the same
// value as docdb compares them, and the same again from there on.
func TestRelaxed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := draw(t)
		text := Append(nil, doc)
		back, err := Parse(text, Documents)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		value := func(d bson.Raw) bson.RawValue { return bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: d} }
		if docdb.Compare(value(back), value(doc)) != 0 {
			t.Fatalf("%s reads back as %s", text, back)
		}
		if again := Append(nil, back); !bytes.Equal(again, text) {
			t.Fatalf("%s, and then %s", text, again)
		}
		var driver bson.Raw
		if err := bson.UnmarshalExtJSON(text, false, &driver); err != nil || !bytes.Equal(driver, back) {
			t.Fatalf("the driver reads %s as %v, %v", text, driver, err)
		}
	})
}

func draw(t *rapid.T) bson.Raw {
	text := rapid.String().Draw(t, "text")
	name := strings.ReplaceAll(text, "\x00", "")
	doc, err := bson.Marshal(bson.D{
		{Key: "_id", Value: bsontest.AnyValue(0).Draw(t, "id")},
		{Key: name, Value: bsontest.AnyValue(3).Draw(t, "value")},
		{Key: "\"quoted\" \\", Value: text},
		{Key: "i", Value: rapid.Int64().Draw(t, "int")},
		{Key: "f", Value: rapid.Float64().Draw(t, "double")},
		{Key: "date", Value: bson.DateTime(rapid.Int64().Draw(t, "date"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	if name == "_id" || strings.HasPrefix(name, "$") || name == "i" || name == "f" || name == "date" {
		t.Skip("a name twice, or a type's")
	}
	return doc
}

// parsed is the first value of a text.
func parsed(t *testing.T, text string) bson.RawValue {
	t.Helper()
	doc, err := Parse([]byte(text), Documents)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	values, err := doc.Values()
	if err != nil || len(values) == 0 {
		t.Fatalf("%s: %v %v", text, values, err)
	}
	return values[0]
}

func TestValues(t *testing.T) {
	for _, tt := range []struct{ in, canonical, relaxed string }{
		{`1`, `{"$numberInt":"1"}`, `1`},
		{`-0`, `{"$numberInt":"0"}`, `0`},
		{`2147483648`, `{"$numberLong":"2147483648"}`, `2147483648`},
		{`9223372036854775807`, `{"$numberLong":"9223372036854775807"}`, `{"$numberLong":"9223372036854775807"}`},
		{`-9223372036854775808`, `{"$numberLong":"-9223372036854775808"}`, `{"$numberLong":"-9223372036854775808"}`},
		{`9007199254740991`, `{"$numberLong":"9007199254740991"}`, `9007199254740991`},
		{`9007199254740993`, `{"$numberLong":"9007199254740993"}`, `{"$numberLong":"9007199254740993"}`},
		{`100000000000000000000`, `{"$numberDouble":"100000000000000000000.0"}`, `100000000000000000000.0`},
		{`1.0`, `{"$numberDouble":"1.0"}`, `1.0`},
		{`1e2`, `{"$numberDouble":"100.0"}`, `100.0`},
		{`-0.0`, `{"$numberDouble":"-0.0"}`, `-0.0`},
		{`1E+300`, `{"$numberDouble":"1e+300"}`, `1e+300`},
		{`{"$numberDouble":"NaN"}`, `{"$numberDouble":"NaN"}`, `{"$numberDouble":"NaN"}`},
		{`{"$numberDouble":"-Infinity"}`, `{"$numberDouble":"-Infinity"}`, `{"$numberDouble":"-Infinity"}`},
		{`{"$numberDecimal":"1.10"}`, `{"$numberDecimal":"1.10"}`, `{"$numberDecimal":"1.10"}`},
		{`{"$numberDecimal":"9.999999999999999999999999999999999E+6144"}`, `{"$numberDecimal":"9.999999999999999999999999999999999E+6144"}`, `{"$numberDecimal":"9.999999999999999999999999999999999E+6144"}`},
		{`{"$date":"1970-01-01T00:00:00.5Z"}`, `{"$date":{"$numberLong":"500"}}`, `{"$date":"1970-01-01T00:00:00.500Z"}`},
		{`{"$date":"2026-11-23T13:00:00+01:00"}`, `{"$date":{"$numberLong":"1795435200000"}}`, `{"$date":"2026-11-23T12:00:00Z"}`},
		{`{"$date":"1969-12-31T23:59:59.999Z"}`, `{"$date":{"$numberLong":"-1"}}`, `{"$date":{"$numberLong":"-1"}}`},
		{`{"$date":{"$numberLong":"253402300800000"}}`, `{"$date":{"$numberLong":"253402300800000"}}`, `{"$date":{"$numberLong":"253402300800000"}}`},
		{`{"$date":{"$numberLong":"253402300799999"}}`, `{"$date":{"$numberLong":"253402300799999"}}`, `{"$date":"9999-12-31T23:59:59.999Z"}`},
		{`{"$oid":"0123456789ABCDEF01234567"}`, `{"$oid":"0123456789abcdef01234567"}`, `{"$oid":"0123456789abcdef01234567"}`},
		{`{"$uuid":"c8edabc3-f738-4ca3-b68d-ab92a91478a3"}`, `{"$binary":{"base64":"yO2rw/c4TKO2jauSqRR4ow==","subType":"04"}}`, `{"$binary":{"base64":"yO2rw/c4TKO2jauSqRR4ow==","subType":"04"}}`},
		{`{"$binary":{"subType":"2","base64":"/w=="}}`, `{"$binary":{"base64":"/w==","subType":"02"}}`, `{"$binary":{"base64":"/w==","subType":"02"}}`},
		{`"\ud83d\ude00\/\u0000"`, `"😀/\u0000"`, `"😀/\u0000"`},
		{` { "\u0024numberInt" : "7" } `, `{"$numberInt":"7"}`, `7`},
		{`[1,[],{}]`, `[{"$numberInt":"1"},[],{}]`, `[1,[],{}]`},
	} {
		doc, err := Parse([]byte(`{"a":`+tt.in+`}`), Documents)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got := string(AppendCanonical(nil, doc)); got != `{"a":`+tt.canonical+`}` {
			t.Errorf("%s: canonical %s, want %s", tt.in, got, tt.canonical)
		}
		if got := string(Append(nil, doc)); got != `{"a":`+tt.relaxed+`}` {
			t.Errorf("%s: relaxed %s, want %s", tt.in, got, tt.relaxed)
		}
	}
	if f := parsed(t, `{"a":-0.0}`).Double(); f != 0 || !math.Signbit(f) {
		t.Errorf("-0.0 is read as %v", f)
	}
	if v := parsed(t, `{"a":1.0}`); v.Type != bson.TypeDouble {
		t.Errorf("1.0 is read as %v", v.Type)
	}
}

func TestKeepsTheOrderOfNames(t *testing.T) {
	const text = `{"z":1,"a":{"y":1,"b":2},"Z":3,"":4}`
	doc, err := Parse([]byte(text), Documents)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(Append(nil, doc)); got != text {
		t.Errorf("got %s", got)
	}
}

func TestRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``:                                 "is not valid JSON at byte 0",
		`{}x`:                              "data after the value",
		`[1]`:                              "must be of type object",
		`null`:                             "must be of type object",
		"{\"a\":\"\xff\"}":                 "is not valid UTF-8",
		`{"a":"\ud800"}`:                   "half of a surrogate pair",
		`{"a":1,"a":2}`:                    `"a" is given more than once`,
		`{"a":[{"b":1,"\u0062":2}]}`:       `"a"."0"."b" is given more than once`,
		`{"a\u0000":1}`:                    "NUL character",
		`{"a":1,}`:                         "not a property's name",
		`{"a":01}`:                         "neither a comma",
		`{"a":1.}`:                         "not a number",
		`{"a":+1}`:                         "no value begins so",
		`{"a":NaN}`:                        "no value begins so",
		`{"a":1e400}`:                      "beyond the range of a double",
		`{"a":9223372036854775808}`:        "beyond 64 bits",
		`{"a":100000000000000000001}`:      "beyond 64 bits",
		`{"$numberInt":"1"}`:               "must be a document",
		`{"a":{"$numberInt":"2147483648"}`: "$numberInt",
		`{"a":{"$numberInt":1}}`:           "$numberInt",
		`{"a":{"$numberLong":"1.5"}}`:      "$numberLong",
		`{"a":{"$numberDouble":"0x1p4"}}`:  "$numberDouble",
		`{"a":{"$numberDecimal":"one"}}`:   "$numberDecimal",
		`{"a":{"$oid":"12"}}`:              "an ObjectId",
		`{"a":{"$oid":"12","b":1}}`:        "an ObjectId",
		`{"a":{"$date":"yesterday"}}`:      "a $date",
		`{"a":{"$date":12}}`:               "a $date",
		`{"a":{"$date":{"b":1}}}`:          "a $date",
		`{"a":{"$binary":{"base64":"!","subType":"00"}}}`:                "a $binary",
		`{"a":{"$binary":{"base64":"","subType":"100"}}}`:                "a $binary",
		`{"a":{"$binary":{"base64":""}}}`:                                "a $binary",
		`{"a":{"$timestamp":{"t":4294967296,"i":1}}}`:                    "a $timestamp",
		`{"a":{"$timestamp":{"t":1,"t":1}}}`:                             "a $timestamp",
		`{"a":{"$regularExpression":{"pattern":"\u0000","options":""}}}`: "a $regularExpression",
		`{"a":{"$uuid":"c8edabc3f7384ca3b68dab92a91478a3"}}`:             "a $uuid",
		`{"a":{"$undefined":false}}`:                                     "no value begins so",
		`{"a":{"$minKey":2}}`:                                            "$minKey",
		`{"a":{"$numberInt":"1","b":2}}`:                                 "is no value of $numberInt",
		`{"a":{"b":2,"$numberInt":"1"}}`:                                 "stands beside other names",
		`{"a":{"$foo":1}}`:                                               `"a"."$foo" begins with $ and is no type`,
		`{"$set":{"a":1}}`:                                               "begins with $",
		`{"a":{"$ref":"c","$id":1}}`:                                     "begins with $",
	} {
		doc, err := Parse([]byte(text), Documents)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", text, doc, err, want)
		}
	}
}

func TestDepth(t *testing.T) {
	nested := func(n int) []byte {
		return []byte(strings.Repeat(`{"a":`, n-1) + `{}` + strings.Repeat(`}`, n-1))
	}
	doc, err := Parse(nested(docdb.MaxDepth), Documents)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(Append(nil, doc), nested(docdb.MaxDepth)) {
		t.Error("the deepest document does not read back")
	}
	arrays := []byte(`{"a":` + strings.Repeat(`[`, docdb.MaxDepth) + strings.Repeat(`]`, docdb.MaxDepth) + `}`)
	for _, text := range [][]byte{nested(docdb.MaxDepth + 1), arrays, bytes.Repeat([]byte(`{"a":`), 1<<20)} {
		if _, err := Parse(text, Documents); err == nil || !strings.Contains(err.Error(), "deeper than 100 levels") {
			t.Errorf("%.20s…: %v", text, err)
		}
	}
}

// TestFilters: an operator is a name, a type is a value.
func TestFilters(t *testing.T) {
	doc, err := Parse([]byte(`{"$or":[{"a":{"$gt":{"$numberLong":"5"}}},{"b":{"$regex":"x"}}]}`), Filters)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(Append(nil, doc)), `{"$or":[{"a":{"$gt":5}},{"b":{"$regex":"x"}}]}`; got != want {
		t.Errorf("got %s", got)
	}
	if v := doc.Lookup("$or", "0", "a", "$gt"); v.Type != bson.TypeInt64 {
		t.Errorf("$gt is of type %v", v.Type)
	}
}

// TestManyNames: a document of many names is read in time that grows with their number.
func TestManyNames(t *testing.T) {
	var b strings.Builder
	for i := range 200_000 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + strings.Repeat("n", i%7) + string(rune('a'+i%26)) + jsonInt(i) + `":1`)
	}
	if _, err := Parse([]byte("{"+b.String()+"}"), Documents); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse([]byte("{"+b.String()+`,"a0":1}`), Documents); err == nil {
		t.Error("a name twice among many is not found")
	}
}

func jsonInt(i int) string { b, _ := json.Marshal(i); return string(b) }

// FuzzParse: what is read is well-formed BSON and reads back the same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,{"$date":{"$numberLong":"1"}}]}`, `{"a":{"$code":"f","$scope":{"b":1}}}`, `{"a":{"$dbPointer":{"$id":{"$oid":"0123456789abcdef01234567"},"$ref":"x"}}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := Parse(text, Documents)
		if err != nil {
			return
		}
		if err := doc.Validate(); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := Parse(AppendCanonical(nil, doc), Documents)
		if err != nil || !bytes.Equal(again, doc) {
			t.Fatalf("%s: %v, %v", text, again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := []byte(`{"_id":"u-000001","name":"Ada Lovelace","city":"London","age":36,"tags":["math","engine"],"at":{"$date":"2026-11-23T12:00:00Z"},"n":12345678901}`)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Parse(text, Documents); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	text := []byte(`{"_id":"u-000001","name":"Ada Lovelace","city":"London","age":36,"tags":["math","engine"],"at":{"$date":"2026-11-23T12:00:00Z"},"n":12345678901}`)
	doc, err := Parse(text, Documents)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	var dst []byte
	for b.Loop() {
		dst = Append(dst[:0], doc)
	}
}
