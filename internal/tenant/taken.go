package tenant

import (
	"context"
	"errors"

	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/master"
)

// taken are the names and addresses that were refused as another's. A request for one of them is
// checked beforehand, at a fraction of the cost of an operation that is refused. Of others the
// operation itself finds out.
type taken struct {
	reservations *master.Reservations
	hints        hints[struct{}] // by the ids of reservations
}

// check refuses a name or an address that was taken before, and still is; empty ones are not checked.
func (t *taken) check(ctx context.Context, nameKey, emailKey string) error {
	_, nameTaken := t.hints.of(master.NameReservation(nameKey))
	_, emailTaken := t.hints.of(master.EmailReservation(emailKey))
	if !nameTaken && !emailTaken {
		return nil
	}
	return t.reservations.CheckAvailable(ctx, nameKey, emailKey)
}

// note remembers why an operation was refused, if it was.
func (t *taken) note(err error, nameKey, emailKey string) {
	switch {
	case errors.Is(err, org.NameTaken):
		t.hints.note(master.NameReservation(nameKey), struct{}{})
	case errors.Is(err, org.EmailTaken):
		t.hints.note(master.EmailReservation(emailKey), struct{}{})
	}
}
