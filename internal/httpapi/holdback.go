package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/org"
)

// A refusal costs next to nothing, so that who is refused and asks again at once can keep
// the processors busy with refusals, at a higher priority than that of password hashes. So
// refusals are told a while later: a client is refused once a second on each of its
// connections, and no more.
const (
	heldFor = time.Second
	// maxHeld is how many refusals are held at a time, of some 20 KB each. Those beyond are
	// told at once.
	maxHeld = 2048
)

// holdBack waits before it returns a refusal of too many attempts, or of a server that is
// too busy for one; and whatever else at once.
func (a *API) holdBack(ctx context.Context, refusal error) error {
	if !errors.Is(refusal, org.RateLimited) && !errors.Is(refusal, org.Unavailable) {
		return refusal
	}
	select {
	case a.held <- struct{}{}:
		defer func() { <-a.held }()
	default:
		return refusal
	}
	callFrom(ctx).forgetBody()
	wait := time.NewTimer(a.heldFor)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
	return refusal
}
