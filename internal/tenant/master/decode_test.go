package master

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// full returns a record with a value in every field.
func full[T any](t testing.TB) *T {
	t.Helper()
	record := new(T)
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		for i := range v.NumField() {
			switch f := v.Field(i); f.Interface().(type) {
			case time.Time:
				f.Set(reflect.ValueOf(time.UnixMilli(1_700_000_000_000 + int64(i)).UTC()))
			case *time.Time:
				at := time.UnixMilli(1_800_000_000_000).UTC()
				f.Set(reflect.ValueOf(&at))
			case Meta:
				fill(f)
			case Version:
				f.Set(reflect.ValueOf(newVersion()))
			case []byte:
				f.SetBytes([]byte("twelve bytes"))
			case *Move:
				f.Set(reflect.ValueOf(&Move{Phase: Copying, Target: "target", Dirty: "dirty"}))
			case *Credentials: // which few have
			case *Quota:
				f.Set(reflect.ValueOf(&Quota{Documents: 10, Bytes: 1 << 20}))
			default:
				switch f.Kind() {
				case reflect.String:
					f.SetString(v.Type().Field(i).Name)
				case reflect.Int64:
					f.SetInt(int64(i) + 1)
				default:
					t.Fatalf("nobody has said how to fill the field %s", v.Type().Field(i).Name)
				}
			}
		}
	}
	fill(reflect.ValueOf(record).Elem())
	return record
}

func TestDecodeOrganization(t *testing.T) {
	testDecode(t, func(o *Organization) (created, updated *time.Time) { return &o.CreatedAt, &o.UpdatedAt })
}

func TestDecodeAdmin(t *testing.T) {
	testDecode(t, func(a *Admin) (created, updated *time.Time) { return &a.CreatedAt, &a.UpdatedAt })
}

type decoder[T any] interface {
	*T
	decode(raw bson.Raw) error
	setField(name string, v bson.RawValue) bool
}

func testDecode[T any, P decoder[T]](t *testing.T, times func(*T) (created, updated *time.Time)) {
	whole := full[T](t)
	asDocument := func(change func(bson.D) bson.D) bson.Raw {
		var d bson.D
		raw, err := bson.Marshal(whole)
		if err == nil {
			err = bson.Unmarshal(raw, &d)
		}
		if err == nil {
			raw, err = bson.Marshal(change(d))
		}
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for name, change := range map[string]func(bson.D) bson.D{
		"as it is written":        func(d bson.D) bson.D { return d },
		"a field of a later time": func(d bson.D) bson.D { return append(d, bson.E{Key: "later", Value: bson.A{1}}) },
		"another integer type":    func(d bson.D) bson.D { d[1].Value = int32(7); return d },
		"fields missing":          func(d bson.D) bson.D { return d[:3] },
		"credentials that wait": func(d bson.D) bson.D {
			return append(d, bson.E{Key: "next", Value: bson.D{{Key: "op_id", Value: "x"}}})
		},
		"empty": func(bson.D) bson.D { return bson.D{} },
	} {
		t.Run(name, func(t *testing.T) {
			raw := asDocument(change)
			var got, want T
			if err := P(&got).decode(raw); err != nil {
				t.Fatal(err)
			}
			if err := bson.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			for _, record := range []*T{&got, &want} {
				created, updated := times(record)
				*created, *updated = created.UTC(), updated.UTC()
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-bson.Unmarshal +decode:\n%s", diff)
			}
		})
	}
	t.Run("without reflection", func(t *testing.T) {
		for name, v := range docFields(asDocument(func(d bson.D) bson.D { return d })) {
			if !P(new(T)).setField(name, v) {
				t.Errorf("the field %q is left to bson.Unmarshal", name)
			}
		}
	})
}

func docFields(raw bson.Raw) map[string]bson.RawValue {
	all := map[string]bson.RawValue{}
	elements, _ := raw.Elements()
	for _, e := range elements {
		all[e.Key()] = e.Value()
	}
	return all
}

func BenchmarkDecodeOrganization(b *testing.B) {
	raw, err := bson.Marshal(full[Organization](b))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = bson.Unmarshal(raw, new(Organization))
		}
	})
	b.Run("orgd", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = new(Organization).decode(raw)
		}
	})
}
