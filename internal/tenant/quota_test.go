package tenant_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// padded returns a document with some bytes to it.
func padded(t testing.TB, id any, n int) bson.Raw {
	t.Helper()
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: id}, {Key: "pad", Value: strings.Repeat("x", n)}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (w *world) limit(id string, documents, bytes int64) {
	w.t.Helper()
	o, err := w.SetQuota(w.t.Context(), id, org.Quota{MaxDocuments: documents, MaxBytes: bytes})
	if err != nil {
		w.t.Fatal(err)
	}
	if o.Quota != (org.Quota{MaxDocuments: documents, MaxBytes: bytes}) {
		w.t.Errorf("the quota is %+v", o.Quota)
	}
}

func TestQuotaOfDocuments(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		ctx, acme := t.Context(), w.create("Acme", "acme@x.example")
		docs := w.Documents(acme.ID)
		is := func(kind error, err error) {
			t.Helper()
			if kind == nil && err != nil || kind != nil && !errors.Is(err, kind) {
				t.Errorf("%v, want %v", err, kind)
			}
		}
		insert := func(id any) error { _, err := docs.Insert(ctx, padded(t, id, 1)); return err }
		put := func(id any, n int) error {
			_, _, err := docs.Put(ctx, tenant.Condition{}, padded(t, id, n))
			return err
		}
		is(nil, insert(1))
		is(nil, insert(2))
		w.limit(acme.ID, 3, 0)
		is(nil, insert(3))
		is(org.QuotaExceeded, insert(4))
		is(org.QuotaExceeded, put(4, 1))
		is(nil, put(3, 100)) // no more of them
		results, err := docs.InsertMany(ctx, []bson.Raw{padded(t, 5, 1)})
		is(nil, err)
		is(org.QuotaExceeded, results[0])
		_, id, err := bson.MarshalValue(int32(1))
		is(nil, err)
		is(nil, docs.Delete(ctx, bson.RawValue{Type: bson.TypeInt32, Value: id}, tenant.Condition{}))
		results, err = docs.InsertMany(ctx, []bson.Raw{padded(t, 2, 1), padded(t, 6, 1), padded(t, 7, 1)})
		is(nil, err)
		if n := count(t, w.engine.Database(tenantDB).Collection(acme.Collection), docdb.Filter{}); n > 3 {
			t.Errorf("%d documents: %v", n, results)
		}
	})
}

func TestQuotaOfBytes(t *testing.T) {
	w := newWorld(t, model.New(), plain)
	ctx, acme := t.Context(), w.create("Acme", "acme@x.example")
	docs := w.Documents(acme.ID)
	w.limit(acme.ID, 0, 1000)
	if _, err := docs.Insert(ctx, padded(t, 1, 500)); err != nil {
		t.Fatal(err)
	}
	if _, err := docs.Insert(ctx, padded(t, 2, 500)); !errors.Is(err, org.QuotaExceeded) {
		t.Errorf("too much: %v", err)
	}
	for _, n := range []int{900, 10, 800} { // larger, smaller, larger
		if _, _, err := docs.Put(ctx, tenant.Condition{}, padded(t, 1, n)); err != nil {
			t.Errorf("%d: %v", n, err)
		}
	}
	if _, _, err := docs.Put(ctx, tenant.Condition{}, padded(t, 1, 1000)); !errors.Is(err, org.QuotaExceeded) {
		t.Errorf("grown too much: %v", err)
	}
	w.limit(acme.ID, 0, 100) // less than there is
	if _, _, err := docs.Put(ctx, tenant.Condition{}, padded(t, 1, 700)); err != nil {
		t.Errorf("smaller: %v", err)
	}
	w.limit(acme.ID, 0, 0)
	if _, err := docs.Insert(ctx, padded(t, 2, 5000)); err != nil {
		t.Errorf("no quota any more: %v", err)
	}
	w.limit(acme.ID, 0, 5000)
	if _, err := docs.Insert(ctx, padded(t, 3, 1)); !errors.Is(err, org.QuotaExceeded) {
		t.Errorf("what came without a quota is not counted: %v", err)
	}
}

// TestRacingWritesKeepTheQuota: writers of all kinds, and a move. On an engine of one's
// own the quota is kept to the document.
func TestRacingWritesKeepTheQuota(t *testing.T) {
	for name, engine := range map[string]func(*testing.T) docdb.Engine{"model": newModel, "embedded": embeddedEngine} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, engine(t), plain)
			acme := w.create("Acme", "acme@x.example")
			docs := w.Documents(acme.ID)
			const most = 60
			w.limit(acme.ID, most, 0)
			var all sync.WaitGroup
			var exceeded atomic.Int64
			for i := range 16 {
				all.Go(func() {
					for n := range 30 {
						id := fmt.Sprint(i, "/", n)
						var err error
						switch n % 3 {
						case 0:
							_, err = docs.Insert(t.Context(), padded(t, id, n))
						case 1:
							_, _, err = docs.Put(t.Context(), tenant.Condition{}, padded(t, id, n))
						default:
							var results []error
							if results, err = docs.InsertMany(t.Context(), []bson.Raw{padded(t, id, n), padded(t, id+"b", n)}); err == nil {
								err = errors.Join(results...)
							}
						}
						if err != nil && !errors.Is(err, org.QuotaExceeded) {
							t.Error(err)
						}
						if err != nil {
							exceeded.Add(1)
							prior := fmt.Sprint(i, "/", n-5)
							if err := docs.Delete(t.Context(), stringID(t, prior), tenant.Condition{}); err != nil && !errors.Is(err, org.NotFound) {
								t.Error(err)
							}
						}
					}
				})
			}
			all.Go(func() {
				if _, err := w.Update(context.WithoutCancel(t.Context()), w.login("acme@x.example"), tenant.UpdateInput{Migrate: true}); err != nil {
					t.Error(err)
				}
			})
			all.Wait()
			for n := 0; ; n++ {
				_, err := docs.Insert(t.Context(), padded(t, fmt.Sprint("fill ", n), 1))
				if errors.Is(err, org.QuotaExceeded) {
					break
				}
				if err != nil || n > most {
					t.Fatal(n, err)
				}
			}
			o, err := w.Organization(t.Context(), acme.ID)
			if err != nil {
				t.Fatal(err)
			}
			n := count(t, w.engine.Database(tenantDB).Collection(o.Collection), docdb.Filter{})
			if n != most || exceeded.Load() == 0 {
				t.Errorf("%d documents, refused %d times", n, exceeded.Load())
			}
			stats, err := docs.Stats(t.Context(), time.Minute)
			if documents, bytes := w.Usage(acme.ID); err != nil || documents != stats.Documents || bytes != stats.Bytes {
				t.Errorf("%d documents of %d bytes were counted, there are %+v, %v", documents, bytes, stats, err)
			}
		})
	}
}

// TestQuotaAmongInstances: what another instance writes is known a little later.
func TestQuotaAmongInstances(t *testing.T) {
	e := model.New()
	var clock atomic.Int64
	open := func(name string) *tenant.Store {
		return openStore(t, e, func(c *tenant.Config) {
			plain(c)
			c.Instance, c.Exclusive = name, false
			c.Now = func() time.Time { return time.UnixMilli(1_800_000_000_000 + clock.Load()) }
		})
	}
	a, b := open("a"), open("b")
	acme, err := a.Create(t.Context(), tenant.CreateInput{Name: "Acme", Email: "acme@x.example", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.SetQuota(t.Context(), acme.ID, org.Quota{MaxDocuments: 5}); err != nil {
		t.Fatal(err)
	}
	insert := func(s *tenant.Store, id string) error {
		_, err := s.Documents(acme.ID).Insert(t.Context(), padded(t, id, 1))
		return err
	}
	if err := insert(b, "b"); err != nil { // which counts one from now on
		t.Fatal(err)
	}
	for i := range 4 {
		if err := insert(a, fmt.Sprint(i)); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := insert(a, "one more"); !errors.Is(err, org.QuotaExceeded) {
		t.Errorf("the instance that knows: %v", err)
	}
	clock.Add(5000)
	if err := insert(b, "one more"); !errors.Is(err, org.QuotaExceeded) {
		t.Errorf("the other one, later: %v", err)
	}
}

func stringID(t testing.TB, id string) bson.RawValue {
	t.Helper()
	kind, value, err := bson.MarshalValue(id)
	if err != nil {
		t.Fatal(err)
	}
	return bson.RawValue{Type: kind, Value: value}
}
