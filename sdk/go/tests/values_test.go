package orgd_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd/internal/app/apptest"
	orgd "github.com/orgd/orgd/sdk/go"
)

type typedValues struct {
	ID      orgd.DocumentID   `json:"_id"`
	Ref     orgd.DocumentID   `json:"ref"`
	Big     orgd.Int64        `json:"big"`
	Small   orgd.Int64        `json:"small"`
	Whole   orgd.Float64      `json:"whole"`
	Huge    orgd.Float64      `json:"huge"`
	Decimal orgd.Decimal      `json:"decimal"`
	Date    orgd.Date         `json:"date"`
	Ancient orgd.Date         `json:"ancient"`
	Binary  orgd.Binary       `json:"binary"`
	Empty   orgd.Binary       `json:"empty"`
	Raw     json.RawMessage   `json:"raw"`
	Many    []orgd.Int64      `json:"many"`
	Missing *orgd.Decimal     `json:"missing"`
	Plain   map[string]any    `json:"plain"`
	Text    map[string]string `json:"text"`
}

// TestNoValueLosesAnything on its way to the server and back, through a document,
// a list, an export and an import.
func TestNoValueLosesAnything(t *testing.T) {
	s := apptest.Start(t)
	c := admin(t, s.URL, acme, checked(t))
	ctx, docs := t.Context(), orgd.DocumentsOf[typedValues](c)
	want := typedValues{
		ID: "6b2f00000000000000000001", Ref: "ada", Big: math.MaxInt64, Small: 5, Whole: 3, Huge: orgd.Float64(math.Inf(-1)),
		Decimal: "10.50", Date: orgd.Date{Time: time.Date(2026, 11, 23, 12, 0, 0, 5e6, time.UTC)},
		Ancient: orgd.Date{Time: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)}, Binary: orgd.Binary{Subtype: 4, Data: make([]byte, 16)},
		Empty: orgd.Binary{Data: []byte{}}, Raw: json.RawMessage(`{"$timestamp":{"t":5,"i":6}}`), Many: []orgd.Int64{math.MinInt64, 1 << 53},
		Plain: map[string]any{"n": 1.5, "s": "<&>\u2028"}, Text: map[string]string{"a": "b"},
	}
	made, err := docs.Insert(ctx, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := docs.Get(ctx, made.ID)
	if err != nil {
		t.Fatal(err)
	}
	var exports [][]byte
	for v, err := range docs.Export(ctx, orgd.ExportOptions{}) {
		if diff := cmp.Diff(want, v); diff != "" || err != nil {
			t.Errorf("exported: %v %s", err, diff)
		}
	}
	raw := orgd.DocumentsOf[json.RawMessage](c)
	for v, err := range raw.Export(ctx, orgd.ExportOptions{Canonical: true}) {
		if err != nil {
			t.Fatal(err)
		}
		exports = append(exports, v)
	}
	if _, err := docs.Put(ctx, made.ID, got.Value); err != nil { // as it was read
		t.Fatal(err)
	}
	for v, err := range raw.Export(ctx, orgd.ExportOptions{Canonical: true}) {
		if diff := cmp.Diff(string(exports[0]), string(v)); diff != "" || err != nil {
			t.Errorf("read and written: %v %s", err, diff)
		}
	}
	for v, err := range docs.List(ctx, orgd.Query{Filter: map[string]any{"big": want.Big, "date": want.Date}}) {
		if diff := cmp.Diff(want, v.Value); diff != "" || err != nil {
			t.Errorf("listed: %v %s", err, diff)
		}
	}
	if diff := cmp.Diff(want, got.Value); diff != "" {
		t.Error(diff)
	}
}

func TestValuesOfOtherTypes(t *testing.T) {
	for _, x := range []struct {
		to   any
		text string
	}{
		{new(orgd.DocumentID), `5`}, {new(orgd.DocumentID), `null`}, {new(orgd.DocumentID), `"6b2f00000000000000000001"`}, {new(orgd.DocumentID), `{"$oid":5}`},
		{new(orgd.Int64), `1.5`}, {new(orgd.Int64), `"5"`}, {new(orgd.Int64), `{"$numberLong":"x"}`}, {new(orgd.Int64), `{"$numberLong":"5","x":1}`},
		{new(orgd.Float64), `"x"`}, {new(orgd.Float64), `{}`}, {new(orgd.Decimal), `1.5`}, {new(orgd.Date), `"2026-11-23T12:00:00Z"`},
		{new(orgd.Date), `{"$date":"soon"}`}, {new(orgd.Date), `{"$date":null}`}, {new(orgd.Binary), `"AA=="`}, {new(orgd.Binary), `{"$binary":{"base64":"AA==","subType":"x"}}`},
	} {
		if err := json.Unmarshal([]byte(x.text), x.to); err == nil {
			t.Errorf("%T takes %s", x.to, x.text)
		}
	}
	for _, x := range []struct {
		to   any
		text string
	}{
		{new(orgd.Int64), `5`}, {new(orgd.Int64), `{"$numberInt":"5"}`}, {new(orgd.Float64), `5`}, {new(orgd.Float64), `1e300`}, {new(orgd.Float64), `{"$numberInt":"5"}`},
		{new(orgd.Float64), `{"$numberDouble":"NaN"}`}, {new(orgd.Date), `{"$date":"1815-12-10T00:00:00.5Z"}`},
	} {
		if err := json.Unmarshal([]byte(x.text), x.to); err != nil {
			t.Error(err)
		}
	}
}
