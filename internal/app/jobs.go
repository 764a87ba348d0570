package app

import (
	"time"

	"github.com/orgd/orgd/internal/tenant"
	"github.com/orgd/orgd/internal/worker"
)

const (
	// resumeEvery is how often a search for unfinished operations of dead instances begins.
	// tenant.Config.LeaseTTL says what depends on it.
	resumeEvery = 6 * time.Second
	// purgeEvery is how often orgd asks whether an organization's time of grace is over.
	purgeEvery = 5 * time.Second
)

// Jobs are what orgd does without being asked, for as long as it runs. While no client writes, and no
// operation is on, they send the storage a command every five seconds on average: ten a minute look
// for operations to resume, and the others share two.
func Jobs(s *tenant.Store) []worker.Job {
	return []worker.Job{
		{Name: "resume operations", Every: resumeEvery, Do: s.Recover},
		{Name: "purge", Every: purgeEvery, Do: s.Purge},
		{Name: "reconcile", Every: tenant.ReconcileEvery, Do: s.ReconcileInTime},
		{Name: "heartbeat", Every: tenant.BeatEvery, Do: s.Beat},
	}
}
