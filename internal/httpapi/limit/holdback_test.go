package limit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orgd/orgd/internal/org"
)

func TestRefusalsAreHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Holdback{places: make(chan struct{}, 1), Wait: heldFor}
		free := func() {}
		after := func(ctx context.Context, refusal error, want time.Duration) {
			t.Helper()
			began := time.Now()
			if err := h.Hold(ctx, refusal, free); !errors.Is(err, refusal) || time.Since(began) != want {
				t.Errorf("%v after %v, want %v after %v", err, time.Since(began), refusal, want)
			}
		}
		after(t.Context(), org.RateLimited, heldFor)
		after(t.Context(), org.Unavailable, heldFor)
		after(t.Context(), org.BadCredentials, 0)
		after(t.Context(), nil, 0)
		leaving, cancel := context.WithTimeout(t.Context(), heldFor/4)
		defer cancel()
		after(leaving, org.RateLimited, heldFor/4)
		go func() { _ = h.Hold(t.Context(), org.RateLimited, free) }()
		synctest.Wait()
		after(t.Context(), org.RateLimited, 0) // there is no room
		time.Sleep(heldFor)
	})
}
