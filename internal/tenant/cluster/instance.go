package cluster

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/master"
)

// Instance is one document of master's `instances`: an orgd process that may have
// writes of tenant data in progress. Its _id is used once; a process that has rested, or was taken for
// dead, goes on under another. A process that is alone has no such document.
type Instance struct {
	master.Meta `bson:",inline"`
	SeenAt      time.Time `bson:"seen_at"`
	// Asks are the questions of movers: see Beat.
	Asks []Ask `bson:"asks"`
}

// An Ask is a mover's question whether every write on an organization that the instance had in
// progress is over. The instance answers by removing it.
type Ask struct {
	Token string `bson:"token"`
	OrgID string `bson:"org_id"`
}

// Instances are the processes that share the databases.
type Instances = master.Table[Instance, *Instance]

// NewInstances returns the instances that a master database knows.
func NewInstances(db docdb.Database) Instances { return master.NewTable[Instance](db, "instances") }

// Shared is the Coordination of processes that share the databases. All fields must be set
// before it is used.
type Shared struct {
	Instances Instances
	Now       func() time.Time
	// DeadAfter is how long an instance may be silent before a move no longer waits for it.
	DeadAfter time.Duration
	// RestAfter is how long after its last write this process leaves the instances.
	RestAfter time.Duration
	Logger    *slog.Logger
	// Settle returns when every write of this process on the organization that had begun is
	// over, and a move knows of those that got no answer.
	Settle func(ctx context.Context, orgID string) error
	// Outdate makes every organization that this process has read too old to rely on.
	Outdate func()
	// Unanswered reports whether moves need to hear from this process of a write that got no answer.
	Unanswered func(ctx context.Context) (bool, error)

	self membership
}

// Alone implements Coordination.
func (s *Shared) Alone() bool { return false }

// Member implements Coordination.
func (s *Shared) Member() string {
	id, _ := s.self.is()
	return id
}

// CheckTouch refuses a write if this instance could not record for some time that it is alive: a
// mover may be about to take it for dead. No mover takes a process that rests for anything.
func (s *Shared) CheckTouch() error {
	if id, beat := s.self.is(); id != "" && time.Since(beat) > s.DeadAfter*2/3 {
		return &org.Error{Kind: org.Unavailable, Message: "This server has lost touch with the storage. Try again in a moment."}
	}
	return nil
}

// Evicted reports whether the instance of that id was taken for dead, so that a
// move may not have waited for its writes.
func (s *Shared) Evicted(ctx context.Context, id string) (bool, error) {
	_, err := s.Instances.Get(ctx, id)
	if errors.Is(err, docdb.ErrNotFound) {
		return true, nil
	}
	return false, err
}
