package limit

import (
	"context"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/org"
)

// A Holdback delays refusals. A refusal costs next to nothing, so a client that asks again at
// once when it is refused could keep the processors busy with refusals, at a higher priority
// than that of password hashes. With it a client is refused once a second on each of its
// connections, and no more.
type Holdback struct {
	Wait   time.Duration // how long a refusal is held
	places chan struct{} // one for each that is held
}

const (
	heldFor = time.Second
	// maxHeld is how many refusals are held at a time, of some 20 KB each. Those beyond are
	// answered at once.
	maxHeld = 2048
)

// NewHoldback holds each refusal for a second.
func NewHoldback() *Holdback {
	return &Holdback{Wait: heldFor, places: make(chan struct{}, maxHeld)}
}

// Hold waits before it returns a refusal of too many attempts, or of a server that is too
// busy; any other error it returns at once. Before it waits it calls free, which gives the
// request's memory back.
func (h *Holdback) Hold(ctx context.Context, refusal error, free func()) error {
	if !errors.Is(refusal, org.RateLimited) && !errors.Is(refusal, org.Unavailable) {
		return refusal
	}
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	default:
		return refusal
	}
	free()
	wait := time.NewTimer(h.Wait)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
	return refusal
}
