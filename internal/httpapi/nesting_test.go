package httpapi

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded"
	"github.com/orgd/orgd/internal/extjson"
	"github.com/orgd/orgd/internal/httpapi/jsondoc"
	"github.com/orgd/orgd/internal/strictjson"
	"github.com/orgd/orgd/internal/tenant"
)

// constructs are what a client can nest in what: all of JSON, every type of Extended JSON
// and every operator of filters.
var constructs = [][2]string{
	{`[`, `]`}, {`[1,`, `]`}, {`[{"b":2},`, `,[]]`}, {`{}`, ``},
	{`{"a":`, `}`}, {`{"b":1,"a":`, `,"c":2}`}, {`{"0":`, `}`}, {`{"":`, `}`}, {`{"\u0061":`, `}`}, {`{"$a":`, `}`},
	{`{"$oid":`, `}`}, {`{"$numberInt":`, `}`}, {`{"$numberLong":`, `}`}, {`{"$numberDouble":`, `}`}, {`{"$numberDecimal":`, `}`},
	{`{"$date":`, `}`}, {`{"\u0024date":`, `}`}, {`{"$binary":{"base64":`, `,"subType":"00"}}`}, {`{"$binary":`, `}`}, {`{"$uuid":`, `}`},
	{`{"$timestamp":{"t":`, `,"i":1}}`}, {`{"$timestamp":`, `}`}, {`{"$regularExpression":{"pattern":`, `,"options":""}}`}, {`{"$regularExpression":`, `}`},
	{`{"$symbol":`, `}`}, {`{"$code":`, `}`}, {`{"$code":"f","$scope":`, `}`}, {`{"$code":"f","$scope":{"a":`, `}}`},
	{`{"$dbPointer":{"$id":`, `,"$ref":"c"}}`}, {`{"$dbPointer":{"$ref":"c","$id":`, `}}`}, {`{"$dbPointer":`, `}`},
	{`{"$undefined":`, `}`}, {`{"$minKey":`, `}`}, {`{"$maxKey":`, `}`},
	{`{"$and":[`, `]}`}, {`{"$or":[{"a":1},`, `]}`}, {`{"a":{"$not":`, `}}`}, {`{"$not":`, `}`}, {`{"a":{"$eq":`, `}}`}, {`{"$ne":`, `}`},
	{`{"$gt":`, `}`}, {`{"$in":[`, `]}`}, {`{"a.0":{"$nin":[1,`, `]}}`}, {`{"$exists":`, `}`},
	{`"`, `"`}, {`1`, ``}, {`"2026-11-23T12:00:00Z"`, ``}, {`"0123456789abcdef01234567"`, ``}, {`true`, ``}, {`{"$numberLong":"5"}`, ``},
}

// nested writes a program, whose bytes are pairs of a construct and how often it is
// around the rest.
func nested(program []byte, most int) string {
	var begin, end []string
	size := 0
	for i := 0; i+1 < len(program) && size < most; i += 2 {
		c := constructs[int(program[i])%len(constructs)]
		times := 1 + int(program[i+1])
		if times > 128 {
			times = (times - 127) * 64 // enough to fill a stack
		}
		times = min(times, (most-size)/(len(c[0])+len(c[1]))+1)
		begin, end = append(begin, strings.Repeat(c[0], times)), append(end, strings.Repeat(c[1], times))
		size += times * (len(c[0]) + len(c[1]))
	}
	for i, j := 0, len(end)-1; i < j; i, j = i+1, j-1 {
		end[i], end[j] = end[j], end[i]
	}
	return strings.Join(begin, "") + strings.Join(end, "")
}

// TestNestingOfPairs nests everything in everything.
func TestNestingOfPairs(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(1 << 20))
	c := nestingCollection(t)
	for outer := range constructs {
		for inner := range constructs {
			nest(t, c, []byte{byte(outer), 0, byte(inner), 0, byte(outer), 90, byte(inner), 3})
			nest(t, c, []byte{byte(outer), 200, byte(inner), 200})
		}
	}
}

// FuzzNesting nests everything in everything in any order.
func FuzzNesting(f *testing.F) {
	for c := range constructs {
		f.Add([]byte{byte(c), 255})
		f.Add([]byte{4, 20, byte(c), 0, 26, 40, byte(c), 255, 29, 255, byte(c), 255})
	}
	f.Cleanup(func() { debug.SetMaxStack(1 << 30) })
	c := nestingCollection(f)
	f.Fuzz(func(t *testing.T, program []byte) {
		debug.SetMaxStack(1 << 20)
		nest(t, c, program)
	})
}

// nest hands a program's text to all that reads, compares, changes and stores what
// clients send. Whatever calls itself without counting fills the stack, and the
// process ends.
func nest(t *testing.T, c docdb.Collection, program []byte) {
	text := nested(program, 256<<10)
	_ = strictjson.Check([]byte(text), strictjson.Rules{MaxDepth: tenant.MaxDepth})
	_ = strictjson.Check([]byte(`{"filter":`+text+`}`), strictjson.Rules{MaxDepth: tenant.MaxDepth, Extended: []string{"filter"}})
	if filter, err := readFilter([]byte(text)); err == nil {
		matchNested(t, filter)
	}
	doc, err := jsondoc.Read([]byte(`{"_id":1,"a":` + text + `}`))
	if err == nil {
		changeNested(t, doc)
		storeNested(t, c, doc)
	}
}

func nestingCollection(t testing.TB) docdb.Collection {
	engine, err := embedded.Open(embedded.Config{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	ctx, db := context.Background(), engine.Database("db")
	if err := db.Create(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	c := db.Collection("c")
	for name, path := range map[string]string{"a": "a", "deep": "a.a.a.a", "place": "a.0"} {
		if err := c.CreateIndex(ctx, docdb.Index{Name: name, Keys: []docdb.Key{{Path: path}}}); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func matchNested(t *testing.T, filter tenant.Filter) {
	again, err := tenant.ParseFilter(filter.Document())
	if err != nil {
		t.Fatalf("%s: %v", filter.Document(), err)
	}
	for _, doc := range []bson.Raw{{5, 0, 0, 0, 0}, filter.Document()} {
		if filter.Match(doc) != again.Match(doc) {
			t.Fatalf("%s, read again, does not match the same", filter.Document())
		}
	}
}

func changeNested(t *testing.T, doc bson.Raw) {
	if err := docdb.Validate(doc); err != nil {
		t.Fatalf("%s is read and not stored: %v", doc, err)
	}
	for _, write := range []func([]byte, bson.Raw) []byte{extjson.Append, extjson.AppendCanonical} {
		text := write(nil, doc)
		back, err := extjson.Parse(text, extjson.Documents)
		if err != nil || !bytes.Equal(write(nil, back), text) {
			t.Fatalf("%s does not read back: %v", text, err)
		}
	}
	path := strings.TrimSuffix(strings.Repeat("a.", 127), ".")
	for _, changed := range []bson.Raw{
		tenant.MergePatch(doc, doc), tenant.MergePatch(tenant.WithID(nil, docdb.ID(doc)), doc),
		tenant.NewProjection([]string{path}).Apply(nil, doc), tenant.NewProjection([]string{"a.a.b", "a.0"}).Apply(nil, doc),
	} {
		if err := docdb.Validate(changed); err != nil {
			t.Fatalf("%s becomes %s: %v", doc, changed, err)
		}
	}
}

func storeNested(t *testing.T, c docdb.Collection, doc bson.Raw) {
	ctx := context.Background()
	if err := c.Insert(ctx, doc); errors.Is(err, docdb.ErrInvalid) { // no index holds it
		return
	} else if err != nil {
		t.Fatal(err)
	}
	order := []docdb.Key{{Path: "a"}}
	at := docdb.PositionOf(doc, order, false)
	for range c.Find(ctx, docdb.Query{Order: order, After: &at}) {
		t.Fatalf("%s comes after itself", doc)
	}
	if err := c.Delete(ctx, docdb.ID(doc), docdb.Filter{}); err != nil {
		t.Fatal(err)
	}
}
