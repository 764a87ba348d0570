package tenant_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
)

// TestADeletionThatIsToldToBeOverIsOver: at every call of a deletion, a watcher whose token is refused
// as revoked finds no organization of the name, and may take the name.
func TestADeletionThatIsToldToBeOverIsOver(t *testing.T) {
	t.Parallel()
	for k, more := 1, true; more; k++ {
		more = deletionAtCall(t, k)
	}
}

// deletionAtCall reports whether the deletion had a k-th call.
func deletionAtCall(t *testing.T, k int) bool {
	e := model.New()
	f := faulty.New(e)
	w, other := newWorld(t, f, plain, shared), newWorld(t, e, plain, shared)
	beating(t, other.Store)
	w.create("Acme", "acme@x.example")
	p := w.login("acme@x.example")
	var n atomic.Int64
	var reached atomic.Bool
	f.On(func(faulty.Call) error {
		if n.Add(1) != int64(k) {
			return nil
		}
		reached.Store(true)
		if _, err := other.AuthenticateWatcher(t.Context(), p); !errors.Is(err, org.TokenRevoked) {
			return nil
		}
		if _, err := other.Lookup(t.Context(), "Acme"); !errors.Is(err, org.NotFound) {
			t.Errorf("call %d: the token is revoked, and the organization is still shown: %v", k, err)
		}
		other.create("Acme", "acme@x.example")
		return nil
	})
	if _, err := w.Delete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	f.On(nil)
	return reached.Load()
}
