package docdb_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
	. "github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
)

// nested returns documents nested so many levels deep.
func nested(depth int) bson.D {
	d := bson.D{}
	for range depth - 1 {
		d = bson.D{{Key: "a", Value: d}}
	}
	return d
}

func TestValidate(t *testing.T) {
	id := func(v any, more ...any) bson.Raw { return Doc(v, more...) }
	patch := func(doc bson.Raw, from, to string) bson.Raw {
		return bytes.Replace(doc, []byte(from), []byte(to), 1)
	}
	tests := map[string]struct {
		doc  bson.Raw
		want error
	}{
		"an _id alone":                       {id("x"), nil},
		"an empty nested name":               {id(1, "a", bson.D{{Key: "", Value: 1}}), nil},
		"a nested name with $":               {id(1, "a", bson.D{{Key: "$b", Value: 1}}), nil},
		"a nested _id":                       {id(1, "a", bson.D{{Key: "b", Value: 1}, {Key: "_id", Value: 1}}), nil},
		"a name twice":                       {id(1, "a", 1, "a", 2), nil},
		"a name with a dot":                  {id(1, "a.b", 1), nil},
		"a document as _id":                  {id(bson.D{{Key: "a", Value: 1}}), nil},
		"null as _id":                        {id(nil), nil},
		"100 levels":                         {id(1, "a", nested(99)), nil},
		"100 levels in an _id":               {id(nested(99)), nil},
		"100 levels, a scope":                {id(1, "a", bson.CodeWithScope{Code: "f", Scope: nested(99)}), nil},
		"16 MiB":                             {Sized(1, docdb.MaxDocumentSize), nil},
		"an old binary":                      {id(1, "a", bson.Binary{Subtype: 2, Data: []byte("x")}), nil},
		"16 MiB and a byte":                  {Sized(1, docdb.MaxDocumentSize+1), docdb.ErrTooLarge},
		"101 levels":                         {id(1, "a", nested(100)), docdb.ErrInvalid},
		"101 levels in an _id":               {id(nested(100)), docdb.ErrInvalid},
		"101 levels, a scope":                {id(1, "a", bson.CodeWithScope{Code: "f", Scope: nested(100)}), docdb.ErrInvalid},
		"nothing":                            {nil, docdb.ErrInvalid},
		"an empty document":                  {Raw(bson.D{}), docdb.ErrInvalid},
		"no _id":                             {Raw(bson.D{{Key: "a", Value: 1}}), docdb.ErrInvalid},
		"an _id that is second":              {Raw(bson.D{{Key: "a", Value: 1}, {Key: "_id", Value: 1}}), docdb.ErrInvalid},
		"two _id":                            {id(1, "_id", 1), docdb.ErrInvalid},
		"an array as _id":                    {id(bson.A{1}), docdb.ErrInvalid},
		"a pattern as _id":                   {id(bson.Regex{}), docdb.ErrInvalid},
		"undefined as _id":                   {id(bson.Undefined{}), docdb.ErrInvalid},
		"a name with $ in an _id":            {id(bson.D{{Key: "a", Value: bson.A{bson.D{{Key: "$b", Value: 1}}}}}), docdb.ErrInvalid},
		"an empty name at the top":           {id(1, "", 1), docdb.ErrInvalid},
		"a name with $ at the top":           {id(1, "$a", 1), docdb.ErrInvalid},
		"bytes after the end":                {append(id(1), 0), docdb.ErrInvalid},
		"a length beyond the end":            {id(1)[:12], docdb.ErrInvalid},
		"no end":                             {patch(id("\xfe\xfe"), "\xfe\xfe\x00\x00", "\xfe\xfe\x00\x01"), docdb.ErrInvalid},
		"a string without its end":           {patch(id("abc"), "abc\x00", "abcd"), docdb.ErrInvalid},
		"a string that is not UTF-8":         {patch(id(1, "a", "xyz"), "xyz", "x\xffz"), docdb.ErrInvalid},
		"a name that is not UTF-8":           {patch(id(1, "xyz", 1), "xyz", "x\xffz"), docdb.ErrInvalid},
		"a nested name that is not UTF-8":    {patch(id(1, "a", bson.D{{Key: "xyz", Value: 1}}), "xyz", "x\xffz"), docdb.ErrInvalid},
		"a string within, too long":          {patch(id(1, "a", bson.D{{Key: "b", Value: "xyz"}}), "\x04\x00\x00\x00xyz", "\x7f\x00\x00\x00xyz"), docdb.ErrInvalid},
		"a bool that is 2":                   {patch(id(1, "a", true), "a\x00\x01", "a\x00\x02"), docdb.ErrInvalid},
		"a type that is not there":           {patch(id(1, "xyz", int32(1)), "\x10xyz", "\x20xyz"), docdb.ErrInvalid},
		"a pattern that is not UTF-8":        {patch(id(1, "a", bson.Regex{Pattern: "xyz"}), "xyz", "x\xffz"), docdb.ErrInvalid},
		"an old binary with a wrong length":  {patch(id(1, "a", bson.Binary{Subtype: 2, Data: []byte("x")}), "\x02\x01", "\x02\x02"), docdb.ErrInvalid},
		"a scope whose code has a wrong end": {patch(id(1, "a", bson.CodeWithScope{Code: "xyz", Scope: bson.D{}}), "xyz\x00", "xyzz"), docdb.ErrInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := docdb.Validate(test.doc); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestValidateAcceptsEveryType(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := AnyDocument(Value("x")).Draw(t, "document")
		if err := docdb.Validate(doc); err != nil {
			t.Fatal(err)
		}
	})
}

func TestValidateAllocatesNothing(t *testing.T) {
	doc := Doc("x", "a", bson.A{1, bson.D{{Key: "b", Value: "c"}}}, "d", bson.Binary{Data: make([]byte, 100)})
	if n := testing.AllocsPerRun(100, func() { _ = docdb.Validate(doc) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestID(t *testing.T) {
	if got := docdb.ID(Doc("x", "a", 1)); !got.Equal(docdb.StringID("x")) {
		t.Errorf("got %v", got)
	}
	for _, doc := range []bson.Raw{nil, Raw(bson.D{}), Raw(bson.D{{Key: "a", Value: 1}, {Key: "_id", Value: 1}})} {
		if !docdb.ID(doc).IsZero() {
			t.Errorf("%v has an _id", doc)
		}
	}
	if !docdb.StringID("é\x00").Equal(Value("é\x00")) {
		t.Error("StringID is not the string")
	}
}

func TestValidateIndex(t *testing.T) {
	key := func(paths ...string) []docdb.Key {
		var keys []docdb.Key
		for _, p := range paths {
			keys = append(keys, docdb.Key{Path: p})
		}
		return keys
	}
	many := strings.Split(strings.TrimSuffix(strings.Repeat("a,", 33), ","), ",")
	for i := range many {
		many[i] += string(rune('a' + i))
	}
	for _, ix := range []docdb.Index{
		{Name: "a", Keys: key("a")},
		{Name: strings.Repeat("a", 64), Keys: key(strings.Repeat("a", 255))},
		{Name: "Az09_-", Keys: key("a.b.0", "_id.a", "_ids", "a b é"), Unique: true},
		{Name: "many", Keys: key(many[:32]...)},
	} {
		if err := docdb.ValidateIndex(ix); err != nil {
			t.Errorf("%+v: %v", ix, err)
		}
	}
	for _, ix := range []docdb.Index{
		{Name: "", Keys: key("a")},
		{Name: strings.Repeat("a", 65), Keys: key("a")},
		{Name: "a.b", Keys: key("a")},
		{Name: "é", Keys: key("a")},
		{Name: docdb.IDIndex, Keys: key("a")},
		{Name: "a"},
		{Name: "a", Keys: key(many...)},
		{Name: "a", Keys: key("_id")},
		{Name: "a", Keys: key("a", "_id")},
		{Name: "a", Keys: key("")},
		{Name: "a", Keys: key("a..b")},
		{Name: "a", Keys: key("a.$b")},
		{Name: "a", Keys: key("a\x00")},
		{Name: "a", Keys: key("a\xff")},
		{Name: "a", Keys: key(strings.Repeat("a", 256))},
		{Name: "a", Keys: []docdb.Key{{Path: "a"}, {Path: "a", Desc: true}}},
	} {
		if err := docdb.ValidateIndex(ix); !errors.Is(err, docdb.ErrInvalid) {
			t.Errorf("%+v: got %v, want ErrInvalid", ix, err)
		}
	}
}

func TestValidateNames(t *testing.T) {
	for _, name := range []string{"a", "org_acme.2", "A-b_9", "system", "systems.a", strings.Repeat("a", 170)} {
		if err := docdb.ValidateCollectionName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "system.users", ".a", "a.", "a..b", "a b", "a$b", "a/b", "é", "a\x00", strings.Repeat("a", 171)} {
		if err := docdb.ValidateCollectionName(name); !errors.Is(err, docdb.ErrInvalid) {
			t.Errorf("%q: got %v, want ErrInvalid", name, err)
		}
	}
	for name, want := range map[string]error{"master_db": nil, "": docdb.ErrInvalid, "a.b": docdb.ErrInvalid,
		strings.Repeat("a", 63): nil, strings.Repeat("a", 64): docdb.ErrInvalid} {
		if err := docdb.ValidateDatabaseName(name); !errors.Is(err, want) {
			t.Errorf("database %q: got %v, want %v", name, err, want)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	doc := Doc("x", "a", bson.A{1, 2, 3, bson.D{{Key: "b", Value: strings.Repeat("c", 200)}}}, "d", 1.5, "e", strings.Repeat("f", 500))
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if err := docdb.Validate(doc); err != nil {
			b.Fatal(err)
		}
	}
}
