package move

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orgd/orgd/internal/org"
)

func TestMovePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewPlaces(1)
		var (
			mu    sync.Mutex
			order []string
		)
		note := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, what)
		}
		come := func(ctx context.Context, orgID string) {
			leave, err := m.Enter(ctx, orgID)
			if err != nil {
				note(orgID + " refused")
				return
			}
			note(orgID)
			time.Sleep(4 * time.Second)
			leave()
		}
		ctx, goAway := context.WithCancel(t.Context())
		for _, orgID := range []string{"a", "b", "c", "b", "d"} {
			its := t.Context()
			if orgID == "c" {
				its = ctx
			}
			go come(its, orgID)
			synctest.Wait()
		}
		goAway()
		time.Sleep(time.Minute)
		synctest.Wait()
		want := "[a b refused c refused b d]" // one wait for an organization; who goes away leaves its turn to others
		if got := fmt.Sprint(order); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if len(m.waiting) != 0 || len(m.places) != 0 {
			t.Errorf("%d wait, %d are taken", len(m.waiting), len(m.places))
		}
	})
}

func TestMovePlacesAreNotWaitedForForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewPlaces(1)
		if _, err := m.Enter(t.Context(), "first"); err != nil {
			t.Fatal(err)
		}
		refused := make(chan error, movesWaiting)
		for i := range movesWaiting {
			go func() {
				_, err := m.Enter(t.Context(), fmt.Sprint(i))
				refused <- err
			}()
		}
		synctest.Wait()
		busy := func(err error, after time.Duration, began time.Time) {
			var e *org.Error
			if !errors.As(err, &e) || e.Kind != org.Unavailable || e.RetryAfter == 0 || time.Since(began) != after {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		}
		began := time.Now()
		_, err := m.Enter(t.Context(), "one too many")
		busy(err, 0, began)
		for range movesWaiting {
			busy(<-refused, moveWait, began)
		}
	})
}
